"""The compiled closed loop and the verifier. `shared` comes first, as in `services`."""

import papertrader.shared  # noqa: F401
