// nodex: the command line of customers and operators. This file is the grammar; the work is in
// admin.cc, customer.cc and chat.cc.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <deque>

#include "edge/base/command_line.h"
#include "tools/nodex/admin.h"
#include "tools/nodex/body.h"
#include "tools/nodex/customer.h"
#include "tools/nodex/operator.h"
#include "tools/nodex/pops.h"
#include "tools/nodex/times.h"

namespace nodex::cli {

namespace {

constexpr const char* exit_statuses =
    "Exit status: 0 done, 1 wrong command line (nothing was sent), 2 refused by the node, 3 no\n"
    "answer, 4 the node or a provider failed, or the answer was cut.";

// What stands below the options in a command's help.
std::string footer_of(const std::string& example) {
    return "Example: nodex " + example + "\n\n" + exit_statuses;
}

constexpr int list_items_max = 1'000;  // of a repeated option

// A command of the admin table as CLI11 knows it, with the places its values go to.
struct AdminEntry {
    const Command* command;
    CLI::App* parser;
    std::vector<Typed> typed;
    bool confirmed = false;  // --yes, where the command destroys
};

struct CustomerParsers {
    CLI::App* chat;
    CLI::App* models;
    CLI::App* balance;
    CLI::App* usage;
    CLI::App* status;
};

struct Grammar {
    CLI::App app{"nodex: talk to a Nodex node, as a customer or as its operator"};
    Settings settings;
    CLI::App* admin = nullptr;
    CLI::App* admin_status = nullptr;
    std::deque<AdminEntry> entries;  // addresses stay valid
    CLI::App* body_get = nullptr;
    CLI::App* body_delete = nullptr;
    std::string body_request, body_kind = "answer";
    unsigned body_wait_s = 15;
    bool body_confirmed = false;
    CLI::App* operator_new = nullptr;
    std::string operator_name, operator_path;
    CustomerParsers customer{};
    bool pops = false;  // of `status`
    Chat chat;
    std::string model_id;  // of `models`
    std::string usage_from, usage_to, usage_model, usage_limit, usage_cursor;
};

void add_field(CLI::App& parser, Typed& typed) {
    const Field& field = *typed.field;
    CLI::Option* option = parser.add_option(field.option, typed.values, field.help);
    option->required(field.required);
    // One value each time it is named: without that a positional would swallow those after it.
    option->type_size(1)->allow_extra_args(false);
    if (field.form == Form::list)
        option->expected(1, list_items_max)->take_all();
    else
        option->expected(1);
}

void add_bodies(Grammar& grammar) {
    CLI::App* body = grammar.admin->add_subcommand("body", "what a customer sent and was sent");
    body->require_subcommand(1);
    grammar.body_get = body->add_subcommand("get", "print it, from whichever POP has it");
    grammar.body_delete =
        body->add_subcommand("delete", "destroy the keys of a request's bodies at every POP");
    for (CLI::App* parser : {grammar.body_get, grammar.body_delete})
        parser->add_option("REQUEST_ID", grammar.body_request, "X-Nodex-Request-Id of the answer")
            ->required();
    constexpr const char* a_request = "00010000000100000000000001eb7bfb";
    grammar.body_get->footer(footer_of(std::string("admin body get ") + a_request));
    grammar.body_delete->footer(
        footer_of(std::string("admin body delete ") + a_request + " --yes --wait 60"));
    grammar.body_get->add_option("--kind", grammar.body_kind, "answer, or what the client sent")
        ->check(CLI::IsMember({"answer", "request"}))
        ->capture_default_str();
    grammar.body_delete
        ->add_option("--wait", grammar.body_wait_s, "seconds until all POPs have said it is done")
        ->check(CLI::Range(0, 3'600))
        ->capture_default_str();
    grammar.body_delete->add_flag("--yes", grammar.body_confirmed, "do it: there is no way back")
        ->required();
}

// The command's example as typed after `nodex`.
std::string as_typed(const Command& command) {
    return "admin " + std::string(command.group) + " " + command.verb + " " + command.example;
}

void add_operator(Grammar& grammar) {
    CLI::App* group = grammar.admin->add_subcommand("operator", "keys of operators");
    group->require_subcommand(1);
    grammar.operator_new =
        group->add_subcommand("new", "make a key; nothing is sent, the centre is to be told of it");
    grammar.operator_new
        ->add_option("NAME", grammar.operator_name, "who will use it: a-z, 0-9, '-', '_', '.'")
        ->required();
    grammar.operator_new->add_option("FILE", grammar.operator_path, "to be made, mode 0600")
        ->required();
    grammar.operator_new->footer(
        "A copy of FILE goes to the centre (mode 0600) and into nodex-central's file:\n"
        "  [[operator]]\n  name = \"NAME\"\n  key = \"/etc/nodex/central/operators/NAME.key\"\n"
        "Then SIGHUP. To change a key: make a second operator, use it, take the first one "
        "out.\n\n" +
        footer_of("admin operator new alice alice.key"));
}

void add_admin(Grammar& grammar) {
    grammar.admin = grammar.app.add_subcommand("admin", "operate the node behind --admin");
    grammar.admin->require_subcommand(1);
    grammar.admin->footer(
        "A node with --standalone, and a POP that the centre trusts wholly, take commands from\n"
        "whoever may open the admin socket. Through any other POP give your key, with --operator\n"
        "or NODEX_OPERATOR: the POP passes on what it can neither read nor alter nor repeat.\n"
        "  nodex admin operator new alice alice.key\n"
        "  nodex --operator alice.key admin key create 1 laptop\n\n" +
        footer_of("admin account create --help"));
    add_operator(grammar);
    grammar.admin_status = grammar.admin->add_subcommand("status", "the node's own state");
    grammar.admin_status->footer(footer_of("admin status"));
    add_bodies(grammar);
    CLI::App* group = nullptr;  // the table keeps the commands of a group together
    for (const Command& command : admin_commands()) {
        if (group == nullptr || group->get_name() != command.group) {
            group = grammar.admin->add_subcommand(command.group, help_of_group(command.group));
            group->require_subcommand(1);
            group->footer(footer_of(as_typed(command)));
        }
        AdminEntry& entry = grammar.entries.emplace_back();
        entry.command = &command;
        entry.parser = group->add_subcommand(command.verb, command.help);
        entry.parser->footer(footer_of(as_typed(command)));
        for (const Field& field : command.fields) entry.typed.push_back({&field, {}});
        for (Typed& typed : entry.typed) add_field(*entry.parser, typed);
        if (command.destroys)
            entry.parser->add_flag("--yes", entry.confirmed, "do it: there is no way back")
                ->required();
    }
}

// Turns what a person typed into the seconds that the API takes.
CLI::Validator time_value() {
    return {[](std::string& text) {
                const std::optional<std::int64_t> seconds = unix_seconds(text);
                if (!seconds) return "wanted " + std::string(time_forms);
                text = std::to_string(*seconds);
                return std::string();
            },
            "TIME"};
}

void add_customer(Grammar& grammar) {
    CLI::App& app = grammar.app;
    CustomerParsers& parsers = grammar.customer;
    parsers.chat = app.add_subcommand("chat", "ask a model");
    parsers.chat->add_option("TEXT", grammar.chat.text, "your message")->required();
    parsers.chat->add_flag("--stream", grammar.chat.stream, "print the answer as it comes");
    parsers.chat->add_option("--model", grammar.chat.model,
                             "model id, alias or assistant; else the first one");
    parsers.chat->add_option("--system", grammar.chat.system, "instructions before your message");
    parsers.chat->add_option("--max-tokens", grammar.chat.max_tokens, "longest answer")
        ->check(CLI::Range(1, 1'000'000));
    parsers.chat->add_option("--idempotency-key", grammar.chat.idempotency_key,
                             "same key, same question: the same answer, charged once");
    parsers.chat->footer(footer_of("chat --stream --model gpt-5.4 \"Say hello.\""));
    parsers.models = app.add_subcommand("models", "what your key may use");
    parsers.models->add_option("MODEL", grammar.model_id, "only this one");
    parsers.models->footer(footer_of("models gpt-5.4"));
    parsers.balance = app.add_subcommand("balance", "what is left");
    parsers.balance->footer(footer_of("balance"));
    parsers.usage = app.add_subcommand("usage", "what was charged");
    parsers.usage->add_option("--from", grammar.usage_from, "a day, a time in UTC, or unix seconds")
        ->transform(time_value());
    parsers.usage->add_option("--to", grammar.usage_to, "the same; rows before it")
        ->transform(time_value());
    parsers.usage->add_option("--model", grammar.usage_model, "only this model");
    parsers.usage->add_option("--limit", grammar.usage_limit, "rows a page");
    parsers.usage->add_option("--cursor", grammar.usage_cursor, "next_cursor of the page before");
    parsers.usage->footer(footer_of("usage --from 2026-11-01 --model gpt-5.4 --limit 100"));
    parsers.status = app.add_subcommand("status", "the node, its link and its providers");
    parsers.status->add_flag("--pops", grammar.pops,
                             "every POP as the centre knows it; asked through --admin");
    parsers.status->footer(footer_of("status --pops"));
}

void build(Grammar& grammar) {
    CLI::App& app = grammar.app;
    app.require_subcommand(1);
    app.fallthrough();
    app.footer(footer_of("--base-url https://localhost:8443/v1 --ca ca.pem chat \"Say hello.\""));
    Settings& settings = grammar.settings;
    settings.admin = "unix:/run/nodex/admin.sock";
    settings.base_url = "https://localhost:8443/v1";
    app.add_flag("--json", settings.json, "JSON for programs instead of tables for people");
    app.add_option("--admin", settings.admin, "admin socket, unix:PATH")
        ->envname("NODEX_ADMIN")
        ->capture_default_str();
    app.add_option("--operator", settings.operator_file,
                   "your key: commands are sealed under it (see admin --help)")
        ->envname("NODEX_OPERATOR");
    app.add_option("--base-url", settings.base_url, "node, with /v1")
        ->envname("NODEX_BASE_URL")
        ->capture_default_str();
    // A key on the command line is seen by everybody on the machine; the environment is the better
    // place.
    app.add_option("--key", settings.key, "API key (better: the environment)")
        ->envname("NODEX_API_KEY");
    app.add_option("--ca", settings.ca_file, "PEM file of the node's authority")
        ->envname("NODEX_CA")
        ->check(CLI::ExistingFile);
    add_admin(grammar);
    add_customer(grammar);
}

Exit run_admin_entry(const Settings& settings, const AdminEntry& entry) {
    std::variant<Json, std::string> args = admin_args(entry.typed);
    if (const auto* problem = std::get_if<std::string>(&args))
        return complain(settings, Exit::usage, "usage", *problem);
    return run_admin(settings, *entry.command, std::get<Json>(std::move(args)));
}

Exit run(const Grammar& grammar) {
    const Settings& settings = grammar.settings;
    const CustomerParsers& parsers = grammar.customer;
    for (const AdminEntry& entry : grammar.entries)
        if (entry.parser->parsed()) return run_admin_entry(settings, entry);
    if (grammar.admin_status->parsed()) return run_admin_status(settings);
    if (grammar.operator_new->parsed())
        return run_operator_new(settings, grammar.operator_name, grammar.operator_path);
    if (grammar.body_get->parsed())
        return run_body_get(settings, grammar.body_request, grammar.body_kind);
    if (grammar.body_delete->parsed())
        return run_body_delete(settings, grammar.body_request, grammar.body_wait_s);
    if (parsers.chat->parsed()) return run_chat(settings, grammar.chat);
    if (parsers.models->parsed()) {
        const std::string path =
            grammar.model_id.empty() ? "/models" : "/models/" + grammar.model_id;
        return run_get(settings, path, {});
    }
    if (parsers.balance->parsed()) return run_get(settings, "/balance", {});
    if (parsers.usage->parsed()) {
        return run_get(settings, "/usage",
                       {{"from", grammar.usage_from},
                        {"to", grammar.usage_to},
                        {"model", grammar.usage_model},
                        {"limit", grammar.usage_limit},
                        {"cursor", grammar.usage_cursor}});
    }
    if (grammar.pops) return run_pops(settings);
    return run_get(settings, "/status", {});
}

int main_of(int argc, char** argv) {
    Grammar grammar;
    build(grammar);
    if (const auto status =
            read_arguments<CLI::ParseError>(grammar.app, argc, argv, static_cast<int>(Exit::usage)))
        return *status;
    return static_cast<int>(run(grammar));
}

}  // namespace

}  // namespace nodex::cli

int main(int argc, char** argv) {
    return nodex::cli::main_of(argc, argv);
}
