"""Intel SGX for allocators: the memory of enclaves, page by page, as pure transitions.

The processor keeps enclave pages in the EPC and one entry for each in the EPCM. The host's kernel proposes (ENCLS
leaves), the enclave accepts (ENCLU leaves), and the EPCM holds both to it. Each leaf is a function from a `Machine`
to an `Outcome`: the machine afterwards and the error code. What the manual answers with #GP or #PF raises `Fault`.

    code, page, machine, trie   error codes; EPCM entries; the state; the persistent map that holds it
    measure, build              the measurement; ECREATE, EADD, EEXTEND, EINIT, EREMOVE
    thread, track               EENTER, EEXIT; ETRACK and its epochs
    augment, accept             EAUG, EMODPR, EMODT by the host; EACCEPT, EACCEPTCOPY, EMODPE by the enclave
    paging                      EPA, EBLOCK, EWB, ELDU, ELDB
    access, boundary            who may reach what; within or outside an enclave
    heap, protection            a heap that grows and trims; the seam
    picture                     the EPC, as text and as SVG

Source: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volume 3D, "Intel Software Guard
Extensions"; each leaf is cited by name.
"""
