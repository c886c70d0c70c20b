"""The compiled closed loop and the verifier. `shared` comes first, as in `services`."""

import shared  # noqa: F401
