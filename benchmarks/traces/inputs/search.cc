// An inverted index, documents that come and go, and parsed queries; `search SEED DOCUMENTS WORDS`.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

struct Document {
    int number;
    std::string title;
    std::vector<std::string> words;
};

struct Query {
    std::string word;
    std::unique_ptr<Query> left, right;
};

using Postings = std::vector<int>;

static std::mt19937 draw;

static std::string word_of(int n) {
    std::string word;
    for (n = n * 7919 + 13; n > 0; n /= 23) word += static_cast<char>('a' + n % 23);
    return n % 7 == 0 ? word + "-and-its-longer-form-" + word : word;
}

static std::unique_ptr<Query> parse(int depth, int vocabulary) {
    auto query = std::make_unique<Query>();
    if (depth == 0 || draw() % 4 == 0) {
        query->word = word_of(static_cast<int>(draw() % vocabulary));
    } else {
        query->left = parse(depth - 1, vocabulary);
        query->right = parse(depth - 1, vocabulary);
    }
    return query;
}

static Postings answer(const Query &query, const std::unordered_map<std::string, Postings> &index) {
    if (!query.left) {
        auto found = index.find(query.word);
        return found == index.end() ? Postings() : found->second;
    }
    Postings left = answer(*query.left, index), right = answer(*query.right, index), both;
    std::set_union(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(both));
    return both;
}

int main(int, char **argv) {
    draw.seed(static_cast<unsigned>(std::atoi(argv[1])));
    const int documents = std::atoi(argv[2]), words = std::atoi(argv[3]), vocabulary = 40 * words;
    std::unordered_map<std::string, Postings> index;
    std::deque<std::unique_ptr<Document>> kept;
    std::map<std::string, int> titles;
    std::uint64_t sum = 0;
    for (int number = 0; number < documents; number++) {
        auto document = std::make_unique<Document>();
        document->number = number;
        document->title = "Document " + std::to_string(number) + std::string(draw() % 50, '*');
        const int length = 1 + static_cast<int>(draw() % (2 * words));
        for (int i = 0; i < length; i++) {
            const double place = std::generate_canonical<double, 32>(draw);
            document->words.push_back(word_of(static_cast<int>(place * place * place * vocabulary)));
        }
        for (const auto &word : document->words) {
            Postings &postings = index[word];
            if (postings.empty() || postings.back() != number) postings.push_back(number);
        }
        titles[document->title] = number;
        kept.push_back(std::move(document));
        if (kept.size() > 500) {
            for (const auto &word : kept.front()->words) {
                auto found = index.find(word);
                if (found == index.end()) continue;
                Postings &postings = found->second;
                postings.erase(std::remove(postings.begin(), postings.end(), kept.front()->number), postings.end());
                if (postings.empty()) index.erase(found);
            }
            titles.erase(kept.front()->title);
            kept.pop_front();
        }
        if (number % 5 == 0) sum = sum * 31 + answer(*parse(6, vocabulary), index).size();
    }
    std::printf("%zu %zu %016llx\n", index.size(), titles.size(), static_cast<unsigned long long>(sum));
    return 0;
}
