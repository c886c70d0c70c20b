"""The services. `shared` comes first: it says where compiled kernels are kept, and numba asks only once."""

import papertrader.shared  # noqa: F401
