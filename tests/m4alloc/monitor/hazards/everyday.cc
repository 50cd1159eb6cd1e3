// What programs in C++ do all day. The first word names a case; each is right, and ends with status 0.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
#include <malloc.h>

static thread_local std::string of_thread = "a string of the thread that is on the heap";

static int throw_from_below(int depth)
{
    std::string text(static_cast<size_t>(depth) + 20, 'a');
    std::vector<int> numbers(10, depth);
    if (depth == 0)
        throw std::out_of_range(text);
    return throw_from_below(depth - 1) + numbers[3] + static_cast<int>(text.size());
}

struct Fragile {
    std::string text = std::string(50, 'x');
    explicit Fragile(int number)
    {
        if (number == 0)
            throw std::runtime_error("not made");
    }
};

static int exceptions()
{
    int caught = 0;
    for (int i = 0; i < 200; i++) {
        try {
            throw_from_below(i % 60);
        } catch (const std::out_of_range &error) {
            caught += std::strlen(error.what()) > 3;
        }
        try {
            auto made = std::make_unique<std::vector<Fragile>>();
            for (int k = 3; k >= 0; k--)
                made->emplace_back(k);
        } catch (const std::runtime_error &) {
            caught++;
        }
        std::exception_ptr kept;
        try {
            throw std::string("a string that is thrown and kept");
        } catch (...) {
            kept = std::current_exception();
        }
        try {
            std::rethrow_exception(kept);
        } catch (const std::string &text) {
            caught += text.size() > 4;
        }
    }
    return caught != 600;
}

static int texts()
{
    std::ostringstream out;
    size_t words = 0;
    for (int i = 0; i < 500; i++)
        out << "abc" << i << "foo " << i * 0.5 << ' ' << std::hex << i << std::dec << '\n';
    std::string text = out.str(), word;
    std::istringstream in(text);
    while (in >> word)
        words++;
    return words != 1500;
}

static int containers()
{
    std::mt19937 random(1);
    std::map<std::string, std::vector<int>> map;
    std::unordered_map<unsigned, std::string> table;
    std::list<std::string> list;
    std::deque<int> line;
    std::set<std::string> names;
    for (int i = 0; i < 10000; i++) {
        unsigned key = random() % 500;
        map[std::to_string(key)].push_back(i);
        table[key] += "x";
        list.push_back(std::string(key % 40, 'l'));
        if (list.size() > 100)
            list.pop_front();
        line.push_front(i);
        if (i % 3 != 0)
            line.pop_back();
        names.insert(std::to_string(random() % 1000));
        if (i % 5 == 0) {
            map.erase(std::to_string(key));
            table.erase(key);
        }
    }
    std::vector<std::string> sorted(names.begin(), names.end());
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    auto copy = sorted;
    sorted.shrink_to_fit();
    sorted.insert(sorted.begin() + 3, copy.begin(), copy.end());
    sorted.erase(sorted.begin(), sorted.begin() + 10);
    return sorted.size() + 10 != 2 * names.size();
}

static int threads()
{
    std::atomic<int> seen{0};
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<std::string>> queue;
    bool done = false;
    std::vector<std::thread> workers;
    for (int i = 0; i < 8; i++)
        workers.emplace_back([&] {
            for (;;) {
                std::shared_ptr<std::string> one;
                {
                    std::unique_lock<std::mutex> lock(mutex);
                    changed.wait(lock, [&] { return done || !queue.empty(); });
                    if (queue.empty())
                        return;
                    one = queue.front();
                    queue.pop_front();
                }
                of_thread += *one;
                std::weak_ptr<std::string> weak = one;
                one.reset();
                seen += weak.lock() ? 2 : 1;
            }
        });
    for (size_t i = 0; i < 2000; i++) {
        auto one = std::make_shared<std::string>(20 + i % 30, 'q');
        std::lock_guard<std::mutex> lock(mutex);
        queue.push_back(one);
        changed.notify_one();
    }
    {
        std::lock_guard<std::mutex> lock(mutex);
        done = true;
    }
    changed.notify_all();
    for (auto &worker : workers)
        worker.join();
    auto later = std::async(std::launch::async, [] { return std::string("a string from the future, a long one"); });
    return seen < 2000 || later.get().empty();
}

struct alignas(64) Wide {
    char bytes[100];
};
struct Base {
    virtual ~Base() = default;
    int number = 1;
};
struct Second {
    virtual ~Second() = default;
    int other = 2;
};
struct Both : Base, Second {
    std::string text = "a text that is long enough to be elsewhere";
};

static int operators()
{
    auto *wide = new Wide[7];
    bool aligned = (reinterpret_cast<size_t>(wide) & 63) == 0;
    wide[6].bytes[99] = 1;
    delete[] wide;
    ::operator delete(::operator new(0));
    ::operator delete(::operator new(100, std::align_val_t(256)), std::align_val_t(256));
    Base *base = new Both;
    delete base;
    Second *second = new Both;
    delete second;
    std::pmr::monotonic_buffer_resource resource;
    std::pmr::vector<std::pmr::string> texts(&resource);
    for (int i = 0; i < 100; i++)
        texts.emplace_back("a text in memory of the resource");
    char *volatile refused = new (std::nothrow) char[size_t(1) << 60];
    bool thrown = false;
    try {
        refused = new char[size_t(1) << 60];
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    return !aligned || refused != nullptr || !thrown;
}

static int usable_sizes()
{
    for (size_t size = 0; size < 3000; size += 7) {
        char *block = static_cast<char *>(std::malloc(size));
        size_t usable = malloc_usable_size(block);
        if (usable < size)
            return 5;
        std::memset(block, 1, usable);
        std::free(block);
    }
    mallopt(M_MMAP_THRESHOLD, 1000);
    malloc_trim(0);
    char *text, *line = nullptr;
    size_t size, room = 0;
    FILE *file = open_memstream(&text, &size);
    for (int i = 0; i < 3000; i++)
        std::fprintf(file, "%d,", i);
    std::fclose(file);
    file = fmemopen(text, size, "r");
    int lines = 0;
    while (getdelim(&line, &room, ',', file) > 0)
        lines++;
    std::fclose(file);
    std::free(line);
    std::free(text);
    return lines != 3000 || reallocarray(nullptr, size_t(1) << 33, size_t(1) << 33) != nullptr;
}

int main(int count, char **words)
{
    static const std::map<std::string, int (*)()> cases = {
        {"exceptions", exceptions}, {"texts", texts}, {"containers", containers},
        {"threads", threads}, {"operators", operators}, {"usable_sizes", usable_sizes}};
    auto wanted = cases.find(count > 1 ? words[1] : "");
    return wanted == cases.end() ? 99 : wanted->second();
}
