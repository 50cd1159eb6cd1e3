// Maps, strings, vectors, threads and exceptions, bad_alloc among them; `containers ROUNDS`.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

static std::mutex printing;

struct Node {
    std::unique_ptr<Node> left, right;
    std::string name;
};

static std::unique_ptr<Node> tree(int depth, int seed) {
    if (depth == 0) return nullptr;
    auto node = std::make_unique<Node>();
    node->name = "node " + std::to_string(seed) + std::string(seed % 40, '.');
    node->left = tree(depth - 1, seed * 2);
    node->right = tree(depth - 1, seed * 2 + 1);
    return node;
}

static std::size_t letters(const Node *node) {
    return node ? node->name.size() + letters(node->left.get()) + letters(node->right.get()) : 0;
}

static std::uint64_t work(int seed, int rounds) {
    std::uint64_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        std::map<std::string, std::vector<int>> sorted;
        std::unordered_map<int, std::string> hashed;
        std::list<std::string> list;
        std::deque<std::vector<char>> queue;
        for (int i = 0; i < 5000; i++) {
            int n = (i * 7919 + seed) % 4001;
            sorted["key " + std::to_string(n)].push_back(i);
            hashed[n] += std::to_string(i) + ' ';
            if (i % 3 == 0) list.push_front(std::string(i % 60, 'l'));
            queue.emplace_back(i % 200, 'q');
            if (queue.size() > 100) queue.pop_front();
        }
        list.sort([](const std::string &a, const std::string &b) { return a.size() < b.size(); });
        for (const auto &[key, values] : sorted) sum = sum * 31 + key.size() + std::accumulate(values.begin(), values.end(), 0);
        for (int n = 0; n < 4001; n++) sum = sum * 31 + hashed[n].size();
        std::ostringstream text;
        for (const auto &word : list) text << word << '\n';
        sum = sum * 31 + text.str().size() + letters(tree(11, 1).get());
        try {
            if (round % 2 == 0) throw std::runtime_error("thrown in round " + std::to_string(round));
            std::vector<std::string> words(100, "unwound");
            sorted.at("no such key");
        } catch (const std::exception &error) {
            sum = sum * 31 + std::string(error.what()).size();
        }
    }
    return sum;
}

int main(int, char **argv) {
    const int rounds = std::atoi(argv[1]);
    std::vector<std::thread> threads;
    std::map<int, std::uint64_t> sums;
    for (int seed = 0; seed < 4; seed++)
        threads.emplace_back([seed, rounds, &sums] {
            std::uint64_t sum = work(seed, rounds);
            std::lock_guard<std::mutex> lock(printing);
            sums[seed] = sum;
        });
    for (auto &thread : threads) thread.join();
    for (const auto &[seed, sum] : sums) std::printf("%d %016llx\n", seed, (unsigned long long)sum);
    try {
        std::size_t volatile size = PTRDIFF_MAX - 1000;
        std::vector<char> large(size);
    } catch (const std::bad_alloc &error) {
        std::printf("caught %s\n", error.what());
    }
    return 0;
}
