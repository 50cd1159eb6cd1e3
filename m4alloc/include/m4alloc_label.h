/* Labels: words that a program says about what it is doing, so that recordings and properties can speak of them.
 *
 *     #include <m4alloc_label.h>                       cc $(m4alloc lib --cflags) program.c
 *
 *     M4ALLOC_LABEL("request_start");                  one event, named
 *     M4ALLOC_LABEL_OF("parsed", block);               the same, about the block that the pointer points into
 *     M4ALLOC_LABEL_SCOPE("request");                  request_start here, request_end when the block of code is left
 *     m4alloc::label_scope scope("enter", "leave");    C++: the same with names of their own
 *
 * Nothing is linked to. Where no recorder is preloaded, a label costs the test of an address; compiled with
 * -DM4ALLOC_NO_LABELS it costs nothing, and its arguments are not evaluated. A name is a text that stays unchanged
 * during the call; the recorder keeps its first 62 bytes. errno is kept. A label may be set anywhere, in a signal
 * handler too.
 */
#ifndef M4ALLOC_LABEL_H
#define M4ALLOC_LABEL_H

#ifdef M4ALLOC_NO_LABELS

/* sizeof does not evaluate: what was only computed for a label is not reported as unused, and nothing is left of it. */
#define M4ALLOC_LABEL(name) ((void)sizeof((name)))
#define M4ALLOC_LABEL_OF(name, pointer) ((void)sizeof((name)), (void)sizeof((pointer)))
#define M4ALLOC_LABEL_SCOPE(name) ((void)sizeof((name)))
#define M4ALLOC_LABEL_SCOPE_OF(name, pointer) ((void)sizeof((name)), (void)sizeof((pointer)))

#ifdef __cplusplus
namespace m4alloc {
struct label_scope {
    label_scope(const char *, const char *, const void * = nullptr) noexcept {}
    ~label_scope() {}
    label_scope(const label_scope &) = delete;
    label_scope &operator=(const label_scope &) = delete;
};
} // namespace m4alloc
#endif

#else

#if !defined(__GNUC__)
#error "m4alloc_label.h needs GCC or Clang (or -DM4ALLOC_NO_LABELS)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Whoever listens defines it: the recorder, or a program of its own accord. name: not NULL. argument: NULL, or into the
 * block that the label is about. */
__attribute__((weak, visibility("default"))) void m4alloc_label(const char *name, const void *argument);

typedef void (*m4alloc_label_function)(const char *name, const void *argument);

/* The address of m4alloc_label, NULL when nobody defines it. A compiler that makes code for a fixed address would let the
 * linker decide that nobody does; the global offset table is filled in when the program starts. */
__attribute__((always_inline, unused)) static inline m4alloc_label_function m4alloc_label_listener(void)
{
#if defined(__ELF__) && !defined(__PIC__) && defined(__x86_64__) && defined(__LP64__)
    m4alloc_label_function found;
    __asm__(".weak m4alloc_label\n\tmovq m4alloc_label@GOTPCREL(%%rip), %0" : "=r"(found));
    return found;
#elif defined(__ELF__) && !defined(__PIC__) && defined(__aarch64__) && defined(__LP64__)
    m4alloc_label_function found;
    __asm__(".weak m4alloc_label\n\tadrp %0, :got:m4alloc_label\n\tldr %0, [%0, :got_lo12:m4alloc_label]"
            : "=r"(found));
    return found;
#else
    return m4alloc_label;
#endif
}

__attribute__((always_inline, unused)) static inline void m4alloc_label_say(const char *name, const void *argument)
{
    m4alloc_label_function listener = m4alloc_label_listener();
    if (__builtin_expect(listener != 0, 0))
        listener(name, argument);
}

#ifdef __cplusplus
} // extern "C"

namespace m4alloc {
/* Says `start` now and `end` when the scope is left, by an exception too. Both names live as long as it does. */
class label_scope {
public:
    label_scope(const char *start, const char *end, const void *argument = nullptr) noexcept
        : end_(end), argument_(argument)
    {
        m4alloc_label_say(start, argument);
    }
    ~label_scope() { m4alloc_label_say(end_, argument_); }
    label_scope(const label_scope &) = delete;
    label_scope &operator=(const label_scope &) = delete;

private:
    const char *end_;
    const void *argument_;
};
} // namespace m4alloc
#else

struct m4alloc_label_scope {
    const char *end;
    const void *argument;
};

__attribute__((always_inline, unused)) static inline struct m4alloc_label_scope
m4alloc_label_enter(const char *start, const char *end, const void *argument)
{
    struct m4alloc_label_scope scope = {end, argument};
    m4alloc_label_say(start, argument);
    return scope;
}

__attribute__((always_inline, unused)) static inline void m4alloc_label_leave(struct m4alloc_label_scope *scope)
{
    m4alloc_label_say(scope->end, scope->argument);
}
#endif

#define M4ALLOC_LABEL_PASTE_(a, b) a##b
#define M4ALLOC_LABEL_PASTE(a, b) M4ALLOC_LABEL_PASTE_(a, b)

/* A pointer to anything, const or volatile. */
#ifdef __cplusplus
#define M4ALLOC_LABEL_NULL nullptr
#define M4ALLOC_LABEL_ARGUMENT(pointer) const_cast<const void *>(static_cast<const volatile void *>(pointer))
#else
#define M4ALLOC_LABEL_NULL 0
#define M4ALLOC_LABEL_ARGUMENT(pointer) ((const void *)(pointer))
#endif

#define M4ALLOC_LABEL(name) m4alloc_label_say((name), M4ALLOC_LABEL_NULL)
#define M4ALLOC_LABEL_OF(name, pointer) m4alloc_label_say((name), M4ALLOC_LABEL_ARGUMENT(pointer))

/* A declaration: `name` is a string literal. */
#define M4ALLOC_LABEL_SCOPE(name) M4ALLOC_LABEL_SCOPE_OF(name, M4ALLOC_LABEL_NULL)
#ifdef __cplusplus
#define M4ALLOC_LABEL_SCOPE_OF(name, pointer)                                                                          \
    const ::m4alloc::label_scope M4ALLOC_LABEL_PASTE(m4alloc_label_scope_, __COUNTER__)(                               \
        name "_start", name "_end", M4ALLOC_LABEL_ARGUMENT(pointer))
#else
#define M4ALLOC_LABEL_SCOPE_OF(name, pointer)                                                                          \
    __attribute__((cleanup(m4alloc_label_leave), unused)) struct m4alloc_label_scope M4ALLOC_LABEL_PASTE(              \
        m4alloc_label_scope_, __COUNTER__) =                                                                           \
        m4alloc_label_enter(name "_start", name "_end", M4ALLOC_LABEL_ARGUMENT(pointer))
#endif

#endif /* M4ALLOC_NO_LABELS */

/* For an allocator of the program's own, such as a pool: calls of malloc and free say these four by themselves. */
#define M4ALLOC_MEM_ALLOCATE_START() M4ALLOC_LABEL("mem_allocate_start")
#define M4ALLOC_MEM_ALLOCATE_END(block) M4ALLOC_LABEL_OF("mem_allocate_end", block)
#define M4ALLOC_MEM_FREE_START(block) M4ALLOC_LABEL_OF("mem_free_start", block)
#define M4ALLOC_MEM_FREE_END(block) M4ALLOC_LABEL_OF("mem_free_end", block)

#endif /* M4ALLOC_LABEL_H */
