// Streams, events, capture and graphs of the simulated driver.
#include "test/cuda-sim/Simulation.h"

#include <chrono>

namespace sattn::rt::cuda {

CUSIM(cuStreamCreate(Stream *stream, unsigned)) {
  Call call("cuStreamCreate");
  if (!call)
    return call.error();
  if (!call->current())
    return InvalidContext;
  *stream = new StreamObject{call->current(), nullptr, false};
  call->streams.insert(*stream);
  ++call->objects;
  return Success;
}

CUSIM(cuStreamDestroy_v2(Stream handle)) {
  Call call("cuStreamDestroy_v2");
  StreamObject *stream = call->streamOf(handle);
  if (!stream)
    return InvalidHandle;
  call->drain();
  call->streams.erase(stream);
  delete stream;
  --call->objects;
  return call.error();
}

CUSIM(cuStreamGetCtx(Stream handle, Context *context)) {
  Call call("cuStreamGetCtx");
  StreamObject *stream = call->streamOf(handle);
  if (!stream)
    return InvalidHandle;
  *context = stream->context;
  return call.error();
}

CUSIM(cuStreamIsCapturing(Stream handle, CaptureStatus *status)) {
  Call call("cuStreamIsCapturing");
  StreamObject *stream = call->streamOf(handle);
  *status = stream && stream->capture ? stream->broken ? 2 : 1 : 0;
  for (StreamObject *other : call->streams)
    if (!stream && other->capture)
      return StreamCaptureImplicit;
  return call.error();
}

CUSIM(cuStreamSynchronize(Stream)) {
  Call call("cuStreamSynchronize");
  if (!call)
    return call.error();
  return call->breaksCapture() ? StreamCaptureUnsupported : call->drain();
}

CUSIM(cuStreamBeginCapture_v2(Stream handle, int)) {
  Call call("cuStreamBeginCapture_v2");
  StreamObject *stream = call->streamOf(handle);
  if (!stream || stream->capture)
    return InvalidValue;
  stream->capture = std::make_unique<GraphObject>();
  stream->broken = false;
  return call.error();
}

CUSIM(cuStreamEndCapture(Stream handle, GraphObject **graph)) {
  Call call("cuStreamEndCapture");
  StreamObject *stream = call->streamOf(handle);
  if (!stream || !stream->capture)
    return InvalidValue;
  std::unique_ptr<GraphObject> captured = std::move(stream->capture);
  *graph = stream->broken ? nullptr : captured.release();
  return *graph ? Success : StreamCaptureInvalidated;
}

CUSIM(cuGraphLaunch(GraphObject *graph, Stream handle)) {
  Call call("cuGraphLaunch");
  for (const Task &task : graph->tasks)
    if (Result result = call->issue(handle, task))
      return result;
  return call.error();
}

CUSIM(cuGraphDestroy(GraphObject *graph)) {
  Call call("cuGraphDestroy");
  call->drain();
  for (Address address : graph->memory)
    call->release(address);
  delete graph;
  return call.error();
}

CUSIM(cuEventCreate(Event *event, unsigned)) {
  Call call("cuEventCreate");
  *event = new EventObject;
  ++call->objects;
  return call.error();
}

CUSIM(cuEventDestroy_v2(Event event)) {
  Call call("cuEventDestroy_v2");
  call->drain();
  delete event;
  --call->objects;
  return call.error();
}

CUSIM(cuEventRecord(Event event, Stream handle)) {
  Call call("cuEventRecord");
  return call->issue(handle, [event] {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    event->milliseconds = std::chrono::duration<double, std::milli>(now).count();
    return Success;
  });
}

CUSIM(cuEventSynchronize(Event)) {
  Call call("cuEventSynchronize");
  return call->breaksCapture() ? StreamCaptureUnsupported : call->drain();
}

CUSIM(cuEventElapsedTime(float *milliseconds, Event start, Event end)) {
  Call call("cuEventElapsedTime");
  *milliseconds = static_cast<float>(end->milliseconds - start->milliseconds);
  return call.error();
}

} // namespace sattn::rt::cuda
