// The registry behind ForkAware (Fork.h) and its handlers, installed with the first object.
#include "runtime/Fork.h"

#include <pthread.h>

#include <mutex>

namespace sattn::rt {

struct ForkRegistry {
  std::mutex mutex;
  ForkAware *first = nullptr;

  /// Never destroyed: a fork may happen while the process exits.
  static ForkRegistry &get() {
    static auto *registry = new ForkRegistry;
    return *registry;
  }

  static void prepare() {
    get().mutex.lock();
    for (ForkAware *object = get().first; object; object = object->next)
      object->beforeFork();
  }
  static void parent() {
    for (ForkAware *object = get().first; object; object = object->next)
      object->afterForkParent();
    get().mutex.unlock();
  }
  static void child() {
    for (ForkAware *object = get().first; object; object = object->next)
      object->afterForkChild();
    get().mutex.unlock();
  }
};

void ForkAware::enroll() {
  static const int installed = pthread_atfork(ForkRegistry::prepare, ForkRegistry::parent, ForkRegistry::child);
  (void)installed;
  ForkRegistry &registry = ForkRegistry::get();
  std::lock_guard lock(registry.mutex);
  next = registry.first;
  registry.first = this;
}

void ForkAware::withdraw() {
  ForkRegistry &registry = ForkRegistry::get();
  std::lock_guard lock(registry.mutex);
  for (ForkAware **place = &registry.first; *place; place = &(*place)->next)
    if (*place == this) {
      *place = next;
      return;
    }
}

} // namespace sattn::rt
