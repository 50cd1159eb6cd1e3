// A C++ file for a compiler to chew on: templates, variants, regular expressions, streams.
#include <array>
#include <functional>
#include <iostream>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

template <int N> struct Shape {
    std::array<double, N> sides;
    double around() const {
        double sum = 0;
        for (double side : sides) sum += side;
        return sum;
    }
    bool operator<(const Shape &other) const { return sides < other.sides; }
};

template <typename Numbers> struct Any;
template <int... N> struct Any<std::integer_sequence<int, N...>> {
    using type = std::variant<Shape<N + 1>...>;
};
using AnyShape = Any<std::make_integer_sequence<int, 24>>::type;

template <int N> AnyShape make() {
    Shape<N> shape;
    shape.sides.fill(1.0 / N);
    return shape;
}

template <int... N> std::vector<AnyShape> all(std::integer_sequence<int, N...>) { return {make<N + 1>()...}; }

static std::optional<std::tuple<std::string, double>> parse(const std::string &line) {
    static const std::regex form("([a-z]+)\\s*=\\s*([0-9]+(\\.[0-9]*)?)");
    std::smatch parts;
    if (!std::regex_match(line, parts, form)) return std::nullopt;
    return std::make_tuple(parts[1].str(), std::stod(parts[2].str()));
}

int main() {
    std::set<AnyShape> seen;
    for (auto &shape : all(std::make_integer_sequence<int, 24>())) seen.insert(shape);
    std::function<double(const AnyShape &)> around = [](const AnyShape &shape) {
        return std::visit([](const auto &known) { return known.around(); }, shape);
    };
    for (const auto &shape : seen) std::cout << shape.index() << ' ' << around(shape) << '\n';
    for (std::string line; std::getline(std::cin, line);)
        if (auto found = parse(line)) std::cout << std::get<0>(*found) << ' ' << std::get<1>(*found) << '\n';
    return 0;
}
