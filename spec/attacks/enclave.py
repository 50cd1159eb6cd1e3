"""Attacks over the boundary of an enclave: the host names memory that is not its own."""

from __future__ import annotations

from spec.attacks.defence import Feature
from spec.attacks.goal import Overwritten
from spec.attacks.kind import Attack, Family
from spec.attacks.step import OWN, fill, host_buffer, malloc, store

_ENCLAVE = frozenset({Feature.ENCLAVE})

ATTACKS = (
    Attack(
        "host-buffer-within",
        Family.ENCLAVE,
        "The host asks for a result to be stored in a buffer that it names, and names a block of the enclave's own "
        "heap.",
        "A Tale of Two Worlds (CCS 2019), missing range check; [user_check] in Intel's edger8r",
        (malloc("a", 64), fill("a", OWN), host_buffer("p", "a", 0, 8), store("p")),
        Overwritten("a"),
        needs=_ENCLAVE,
    ),
    Attack(
        "host-buffer-straddling",
        Family.ENCLAVE,
        "The buffer begins below the enclave and ends in it: it is not within, and a test for that calls it outside.",
        "A Tale of Two Worlds (CCS 2019); Intel SGX SDK, sgx_is_outside_enclave",
        (malloc("a", 64), fill("a", OWN), host_buffer("p", "a", -8, 16), store("p", 8)),
        Overwritten("a"),
        needs=_ENCLAVE,
    ),
    Attack(
        "host-buffer-wrapping",
        Family.ENCLAVE,
        "The buffer begins in the enclave and its size makes the sum of the two wrap to an address below it.",
        "A Tale of Two Worlds (CCS 2019), integer overflow in the range check; rust-lang/rust issue 76343",
        (malloc("a", 64), fill("a", OWN), host_buffer("p", "a", 0, (1 << 64) - 8), store("p")),
        Overwritten("a"),
        needs=_ENCLAVE,
    ),
)
