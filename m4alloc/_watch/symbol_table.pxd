# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The symbols in an ELF file, for who has no debugger's tools: which function or variable an address is in."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from m4alloc._core.c cimport MAP_FAILED, MAP_PRIVATE, PROT_READ, memcmp, memcpy, mmap, munmap

cdef extern from "monitor_text.h" nogil:
    int m4m_open_to_read(const char *path) noexcept
    void m4m_close(int fd) noexcept
    uint64_t m4m_file_bytes(int fd) noexcept

cdef enum:
    SECTION_BYTES = 64
    SYMBOL_BYTES = 24
    OF_TABLE = 2               # SHT_SYMTAB
    OF_DYNAMIC = 11            # SHT_DYNSYM
    IS_VARIABLE = 1            # STT_OBJECT
    IS_FUNCTION = 2            # STT_FUNC


cdef inline uint64_t word_at(const char *place) noexcept nogil:
    """Eight bytes of the file, aligned or not."""
    cdef uint64_t value
    memcpy(&value, place, 8)
    return value


cdef inline bint search_table(const char *file, uint64_t bytes, const char *section, uint64_t address, uint32_t kind,
                              char *name, uint64_t room, uint64_t *behind) noexcept nogil:
    """Search one table; each offset is looked at before it is used."""
    cdef uint64_t offset = word_at(section + 24)
    cdef uint64_t size = word_at(section + 32)
    cdef uint64_t link = <uint32_t>word_at(section + 40)
    cdef uint64_t names = word_at(file + 40) + link * SECTION_BYTES
    cdef uint64_t value, extent, best_name
    cdef uint64_t at = offset
    cdef bint found = False
    if names > bytes - SECTION_BYTES or offset > bytes or size > bytes - offset:
        return False
    names = word_at(file + names + 24)
    while at + SYMBOL_BYTES <= offset + size:
        value = word_at(file + at + 8)
        extent = word_at(file + at + 16)
        if (file[at + 4] & 15) == kind and value <= address and address - value < extent and value != 0:
            best_name = names + <uint32_t>word_at(file + at)
            behind[0] = address - value
            found = best_name < bytes
            break
        at += SYMBOL_BYTES
    if not found:
        return False
    at = 0
    while at + 1 < room and best_name + at < bytes and file[best_name + at] != 0:
        name[at] = file[best_name + at]
        at += 1
    name[at] = 0
    return at != 0


cdef inline bint search_file(const char *file, uint64_t bytes, uint64_t address, uint32_t kind, char *name,
                             uint64_t room, uint64_t *behind) noexcept nogil:
    """Search the tables of an ELF file, the full one if there is one."""
    cdef uint64_t sections = word_at(file + 40)
    cdef uint64_t count = <uint16_t>(word_at(file + 56) >> 32)  # e_shnum
    cdef uint64_t i
    cdef uint32_t wanted = OF_TABLE
    if memcmp(file, "\x7fELF\x02", 5) != 0 or sections > bytes or count * SECTION_BYTES > bytes - sections:
        return False
    while True:
        for i in range(count):
            if <uint32_t>(word_at(file + sections + i * SECTION_BYTES) >> 32) == wanted:
                if search_table(file, bytes, file + sections + i * SECTION_BYTES, address, kind, name, room, behind):
                    return True
        if wanted == OF_DYNAMIC:
            return False
        wanted = OF_DYNAMIC


cdef inline bint nearest_symbol(const char *path, uint64_t address, bint variable, char *name, uint64_t room,
                                uint64_t *behind) noexcept nogil:
    """The function or variable that has the address, as the file counts addresses; False: none is known."""
    cdef int fd = m4m_open_to_read(path)
    cdef uint64_t bytes
    cdef void *file
    cdef bint found = False
    if fd < 0:
        return False
    bytes = m4m_file_bytes(fd)
    file = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) if bytes > 64 else MAP_FAILED
    m4m_close(fd)
    if file == MAP_FAILED:
        return False
    found = search_file(<const char *>file, bytes, address, IS_VARIABLE if variable else IS_FUNCTION, name, room,
                        behind)
    munmap(file, bytes)
    return found
