"""The C interface (include/sattn/sattn.h, compiler.h) from Python, by ctypes: compiles patterns and runs kernels on
memory that the caller owns. For benchmarks, where the other side lives in the same process; tests and the
demonstration run the tool instead (sparse_attn.py).

Tensors are numpy arrays or CPU tensors of PyTorch, with any strides; nothing is copied.
"""

import ctypes as c
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# DLPack: type code, bits. NumPy has no bfloat16: uint16 is its bits.
CODES = {"int32": (0, 32), "float32": (2, 32), "float16": (2, 16), "bfloat16": (4, 16), "uint16": (4, 16),
         "int8": (0, 8), "uint8": (1, 8)}


class NativeError(Exception):
    pass


class DLTensor(c.Structure):
    _fields_ = [("data", c.c_void_p), ("device_type", c.c_int32), ("device_id", c.c_int32), ("ndim", c.c_int32),
                ("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16), ("shape", c.POINTER(c.c_int64)),
                ("strides", c.POINTER(c.c_int64)), ("byte_offset", c.c_uint64)]


class Options(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("cache_dir", c.c_char_p), ("cache_bytes", c.c_uint64),
                ("memory_only", c.c_int32), ("jit_off", c.c_int32), ("threads", c.c_int32), ("reserved", c.c_int32),
                ("target", c.c_char_p), ("parallel_for", c.c_void_p), ("parallel_for_user", c.c_void_p),
                ("log", c.c_void_p), ("log_user", c.c_void_p)]


class Spec(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("pattern", c.c_char_p), ("pattern_size", c.c_size_t),
                ("bind", c.c_char_p), ("target", c.c_char_p)]


class Tensor(c.Structure):
    _fields_ = [("name", c.c_char_p), ("tensor", c.POINTER(DLTensor))]


class Param(c.Structure):
    _fields_ = [("name", c.c_char_p), ("type", c.c_int32), ("reserved", c.c_int32), ("int_value", c.c_int64),
                ("float_value", c.c_double)]


class PerBatch(c.Structure):
    _fields_ = [("values", c.POINTER(c.c_int64)), ("count", c.c_int64)]


class Call(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("inputs", c.POINTER(Tensor)), ("input_count", c.c_size_t),
                ("outputs", c.POINTER(Tensor)), ("output_count", c.c_size_t), ("params", c.POINTER(Param)),
                ("param_count", c.c_size_t), ("q_offset", PerBatch), ("kv_offset", PerBatch), ("kv_len", PerBatch),
                ("cu_q", PerBatch), ("cu_kv", PerBatch), ("page_table", c.POINTER(DLTensor)), ("page_size", c.c_int64),
                ("workspace", c.c_void_p), ("workspace_size", c.c_size_t), ("stream", c.c_void_p),
                ("threads", c.c_int32), ("reserved", c.c_int32)]


def view(tensor):
    """The DLTensor of an array; it keeps the array alive."""
    numpy = hasattr(tensor, "ctypes")
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in CODES:
        raise NativeError(f"arrays must be {', '.join(CODES)}, but one is {name}")
    strides = [s // tensor.itemsize for s in tensor.strides] if numpy else list(tensor.stride())
    sizes = c.c_int64 * len(tensor.shape)
    code, bits = CODES[name]
    made = DLTensor(tensor.ctypes.data if numpy else tensor.data_ptr(), 1, 0, len(tensor.shape), code, bits, 1,
                    sizes(*tensor.shape), sizes(*strides), 0)
    made.owner = tensor
    return made


class Context:
    """A context of the runtime that has the compiler and no disk cache."""

    def __init__(self, folder=ROOT / "build" / "lib"):
        try:
            self.runtime = c.CDLL(str(folder / "libsattn.so"), mode=c.RTLD_GLOBAL)
            self.compiler = c.CDLL(str(folder / "libsattn-compiler.so"))
        except OSError as error:
            raise NativeError(f"{error}; run tools/setup.sh first") from None
        self.runtime.sattn_last_error.restype = c.c_char_p
        self.handle = c.c_void_p()
        options = Options(struct_size=c.sizeof(Options), memory_only=1)
        self.check(self.runtime.sattn_context_create(c.byref(options), c.byref(self.handle)))
        self.check(self.compiler.sattn_compiler_install(self.handle))

    def check(self, status):
        if status:
            raise NativeError(self.runtime.sattn_last_error().decode())

    def kernel(self, pattern, bind):
        """The kernel of a shipped pattern. `bind` maps D, Dv, dtype, group and static params to values."""
        text = (ROOT / "examples" / "patterns" / f"{pattern}.mlir").read_bytes()
        words = ",".join(f"{name}={value}" for name, value in bind.items())
        spec = Spec(c.sizeof(Spec), text, len(text), words.encode(), None)
        handle = c.c_void_p()
        self.check(self.runtime.sattn_get(self.handle, c.byref(spec), c.byref(handle)))
        return Kernel(self, handle)


class Kernel:
    def __init__(self, context, handle):
        self.context, self.handle = context, handle

    def bound(self, inputs, outputs, params=None, threads=0, q_offset=None, kv_len=None, cu_q=None, cu_kv=None):
        """A function without arguments that runs the kernel on these arrays, [B, T, H, D] by name, params by name. The
        first row stands at position `q_offset` of every batch entry, or at those of a list, of which `kv_len` gives the
        keys. Packed sequences, [rows of all, H, D], begin at `cu_q` and `cu_kv`."""
        kept = [{name.encode(): view(array) for name, array in arrays.items()} for arrays in (inputs, outputs)]
        lists = [(Tensor * len(views))(*[(name, c.pointer(tensor)) for name, tensor in views.items()]) for views in kept]
        numbers = [(name.encode(), int(isinstance(value, float)), 0, int(value), float(value))
                   for name, value in (params or {}).items()]
        call = Call(struct_size=c.sizeof(Call), inputs=lists[0], input_count=len(kept[0]), outputs=lists[1],
                    output_count=len(kept[1]), params=(Param * len(numbers))(*numbers), param_count=len(numbers),
                    threads=threads)
        for name, values in (("q_offset", q_offset), ("kv_len", kv_len), ("cu_q", cu_q), ("cu_kv", cu_kv)):
            if values is not None:
                numbers = [int(value) for value in (values if hasattr(values, "__len__") else [values])]
                setattr(call, name, PerBatch((c.c_int64 * len(numbers))(*numbers), len(numbers)))

        def run(kept=kept, lists=lists):  # what the call points into lives as long as the function
            self.context.check(self.context.runtime.sattn_run(self.handle, c.byref(call)))

        return run
