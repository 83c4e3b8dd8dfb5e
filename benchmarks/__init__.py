"""How fast odelearn is: beside the hand-inlined NumPy limit, and beside the frameworks. Run  python -m benchmarks."""

import os

# One thread for everybody. NumPy and the others read this when they are imported, so it comes first.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
