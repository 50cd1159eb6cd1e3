// operator new and delete in all their forms, new_handler and bad_alloc; containers, threads and thread_local objects.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

static int failed, held;
#define EXPECT(condition, ...)                                                     \
    do {                                                                           \
        if (condition) {                                                           \
            held++;                                                                \
        } else if (failed++ < 10) {                                                \
            std::fprintf(stderr, "cplusplus.cc:%d: not so: %s: ", __LINE__, #condition); \
            std::fprintf(stderr, __VA_ARGS__);                                     \
            std::fprintf(stderr, "\n");                                            \
        }                                                                          \
    } while (0)

static std::map<std::string, std::function<void()>> &table() {
    static std::map<std::string, std::function<void()>> checks;
    return checks;
}
#define CHECK(name)                                                          \
    static void name();                                                      \
    static const bool registered_##name = (table()[#name] = name, true);     \
    static void name()

static const std::size_t huge = (std::size_t)PTRDIFF_MAX - 100;
static std::size_t volatile sizes[] = {0, 1, 8, 24, 100, 1000, 5000, 70000, 400000, 3000000};
static const std::align_val_t alignments[] = {std::align_val_t(1),   std::align_val_t(8),    std::align_val_t(32),
                                              std::align_val_t(256), std::align_val_t(4096), std::align_val_t(65536)};

static bool aligned(void *block, std::align_val_t alignment) {
    return block && (std::uintptr_t)block % (std::size_t)alignment == 0;
}

CHECK(every_form_of_new_has_its_delete) {
    for (int round = 0; round < 40; round++) {
        for (std::size_t size : sizes) {
            if (size > 10000 && round > 1) continue;
            void *blocks[] = {::operator new(size),
                              ::operator new(size),
                              ::operator new(size, std::nothrow),
                              ::operator new[](size),
                              ::operator new[](size),
                              ::operator new[](size, std::nothrow)};
            for (void *block : blocks) {
                EXPECT(aligned(block, std::align_val_t(alignof(std::max_align_t))), "%zu bytes at %p", size, block);
                std::memset(block, 0x5a, size);
            }
            ::operator delete(blocks[0]);
            ::operator delete(blocks[1], size);
            ::operator delete(blocks[2], std::nothrow);
            ::operator delete[](blocks[3]);
            ::operator delete[](blocks[4], size);
            ::operator delete[](blocks[5], std::nothrow);
        }
    }
}

CHECK(every_aligned_form_of_new_has_its_delete) {
    for (int round = 0; round < 12; round++) {
        for (std::align_val_t alignment : alignments) {
            for (std::size_t size : sizes) {
                if (size > 10000 && round > 1) continue;
                void *blocks[] = {::operator new(size, alignment),
                                  ::operator new(size, alignment),
                                  ::operator new(size, alignment, std::nothrow),
                                  ::operator new[](size, alignment),
                                  ::operator new[](size, alignment),
                                  ::operator new[](size, alignment, std::nothrow)};
                for (void *block : blocks) {
                    EXPECT(aligned(block, alignment), "%zu bytes at %p", size, block);
                    std::memset(block, 0x5a, size);
                }
                ::operator delete(blocks[0], alignment);
                ::operator delete(blocks[1], size, alignment);
                ::operator delete(blocks[2], alignment, std::nothrow);
                ::operator delete[](blocks[3], alignment);
                ::operator delete[](blocks[4], size, alignment);
                ::operator delete[](blocks[5], alignment, std::nothrow);
            }
        }
    }
}

CHECK(delete_of_nullptr_does_nothing) {
    void *volatile null = nullptr;
    ::operator delete(null);
    ::operator delete(null, 10);
    ::operator delete[](null);
    ::operator delete(null, std::align_val_t(64));
    ::operator delete(null, std::nothrow);
    EXPECT(null == nullptr, "unreachable");
}

template <typename Make> static bool throws_bad_alloc(Make make) {
    try {
        make();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

CHECK(new_of_too_much_throws_bad_alloc) {
    std::size_t volatile size = huge;
    EXPECT(throws_bad_alloc([&] { return ::operator new(size); }), "new");
    EXPECT(throws_bad_alloc([&] { return ::operator new[](size); }), "new[]");
    EXPECT(throws_bad_alloc([&] { return ::operator new(size, std::align_val_t(64)); }), "aligned new");
    EXPECT(throws_bad_alloc([&] { return ::operator new[](size, std::align_val_t(64)); }), "aligned new[]");
    EXPECT(throws_bad_alloc([&] { return std::make_unique<char[]>(size); }), "make_unique");
    EXPECT(throws_bad_alloc([&] { return std::string(size / 2, 'x'); }), "string");
}

CHECK(nothrow_new_of_too_much_returns_nullptr) {
    std::size_t volatile size = huge;
    EXPECT(::operator new(size, std::nothrow) == nullptr, "new");
    EXPECT(::operator new[](size, std::nothrow) == nullptr, "new[]");
    EXPECT(::operator new(size, std::align_val_t(64), std::nothrow) == nullptr, "aligned new");
    EXPECT(::operator new[](size, std::align_val_t(64), std::nothrow) == nullptr, "aligned new[]");
}

static int handler_calls;

CHECK(the_new_handler_is_called_until_it_gives_up) {
    std::size_t volatile size = huge;
    std::set_new_handler([] {
        if (++handler_calls == 3) std::set_new_handler(nullptr);
    });
    EXPECT(throws_bad_alloc([&] { return ::operator new(size); }), "new");
    EXPECT(handler_calls == 3, "the handler was called %d times", handler_calls);
    handler_calls = 0;
    std::set_new_handler([] {
        if (++handler_calls == 3) std::set_new_handler(nullptr);
    });
    EXPECT(::operator new(size, std::nothrow) == nullptr, "nothrow new");
    EXPECT(handler_calls == 3, "from nothrow new the handler was called %d times", handler_calls);
    handler_calls = 0;
    std::set_new_handler([] {
        if (++handler_calls == 2) std::set_new_handler(nullptr);
    });
    EXPECT(throws_bad_alloc([&] { return ::operator new(size, std::align_val_t(128)); }), "aligned new");
    EXPECT(handler_calls == 2, "from aligned new the handler was called %d times", handler_calls);
}

struct Own : std::bad_alloc {};

CHECK(what_the_new_handler_throws_reaches_the_caller) {
    std::size_t volatile size = huge;
    std::set_new_handler([] { throw Own(); });
    int caught = 0;
    try {
        ::operator delete(::operator new(size));
    } catch (const Own &) {
        caught++;
    }
    try {
        ::operator delete[](::operator new[](size, std::align_val_t(64)), std::align_val_t(64));
    } catch (const Own &) {
        caught++;
    }
    std::set_new_handler(nullptr);
    EXPECT(caught == 2, "caught %d of 2", caught);
}

CHECK(nothrow_new_swallows_what_the_new_handler_throws) {
    std::size_t volatile size = huge;
    std::set_new_handler([] { throw Own(); });
    EXPECT(::operator new(size, std::nothrow) == nullptr, "nothrow new");
    EXPECT(::operator new[](size, std::align_val_t(64), std::nothrow) == nullptr, "aligned nothrow new[]");
    std::set_new_handler(nullptr);
}

CHECK(exceptions_unwind_through_containers) {
    int caught = 0, made = 0;
    for (int i = 0; i < 2000; i++) {
        try {
            std::vector<std::string> words;
            for (int j = 0; j < 40; j++) words.push_back(std::string(j * 9, 'a')), made++;
            throw std::string("thrown ") + std::to_string(i);
        } catch (const std::string &what) {
            caught += what == "thrown " + std::to_string(i);
        }
    }
    EXPECT(caught == 2000 && made == 80000, "caught %d", caught);
}

static thread_local std::map<int, std::string> own_words;

CHECK(thread_local_containers_are_destroyed_after_their_thread) {
    for (int round = 0; round < 200; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; i++)
            threads.emplace_back([i] {
                for (int j = 0; j < 200; j++) own_words[j] = std::string(j % 90 + i, 'x');
            });
        for (auto &thread : threads) thread.join();
    }
    EXPECT(own_words.empty(), "%zu words in the main thread", own_words.size());
}

struct alignas(512) Wide {
    char bytes[512];
};

CHECK(overaligned_types_are_aligned_in_containers) {
    std::vector<Wide> wide;
    for (int i = 0; i < 300; i++) {
        wide.emplace_back();
        EXPECT((std::uintptr_t)wide.data() % alignof(Wide) == 0, "vector data at %p", (void *)wide.data());
    }
    auto shared = std::make_shared<Wide>();
    EXPECT((std::uintptr_t)shared.get() % alignof(Wide) == 0, "make_shared at %p", (void *)shared.get());
}

int main(int argc, char **argv) {
    auto found = argc > 1 ? table().find(argv[1]) : table().end();
    if (found == table().end()) return 2;
    found->second();
    if (failed) return 1;
    std::printf("%s: %d expectations held\n", argv[1], held);
    return 0;
}
