// Reading the arguments of a program, for its main.cc: the one place that sees an exception, as
// CLI11 tells a wrong command line (and the wish for help) by one. CLI11 itself stays with main.cc.
#pragma once
#include <cstdlib>
#include <optional>

namespace nodex {

// `Mistake` is CLI::ParseError, `App` CLI::App. Nothing: the arguments are read. Else they were said
// to be wrong, or help or the version was printed, and the program ends with this status: CLI11's
// own numbers are not ours.
template <class Mistake, class App>
std::optional<int> read_arguments(App& app, int argc, char** argv, int status_of_a_mistake) {
    try {
        app.parse(argc, argv);
        return std::nullopt;
    } catch (const Mistake& mistake) {
        return app.exit(mistake) == 0 ? EXIT_SUCCESS : status_of_a_mistake;
    }
}

}  // namespace nodex
