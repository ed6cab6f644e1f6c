// The house rules that a compiler does not check, held against the source text itself.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kColumnsMax = 100;
constexpr std::size_t kLinesMax = 600;

/// A source file as read, and the same text with comments and the insides of literals blanked out,
/// character for character, so that positions in one are positions in the other.
struct Source {
  std::string path;  // From the root, `storage/digest.h`.
  std::string text;
  std::string code;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string blank_text(const std::string& text) {
  std::string code = text;
  const auto blank = [&code](std::size_t from, std::size_t to) {
    for (auto i = from; i < std::min(to, code.size()); ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
  };
  const auto past = [&text](std::string_view mark, std::size_t from) {
    const auto at = text.find(mark, from);
    return at == std::string::npos ? text.size() : at + mark.size();
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    if (text.compare(i, 2, "//") == 0) {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (text.compare(i, 2, "/*") == 0) {
      end = past("*/", i + 2);
      blank(i, end);
    } else if (text.compare(i, 2, "R\"") == 0 && (i == 0 || !is_word(text[i - 1]))) {
      const auto open = text.find('(', i);
      end = past(")" + text.substr(i + 2, open - i - 2) + "\"", open);
      blank(i + 2, end - 1);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word(text[i - 1])))) {
      while (end < text.size() && text[end] != text[i]) end += text[end] == '\\' ? 2 : 1;
      blank(i + 1, end);
      ++end;
    }
    i = end;
  }
  return code;
}

/// The statement around `at`, on one line: from behind the `;` or the brace that ends what stands
/// before it to its own `;`, brackets and the blocks inside them included.
std::string statement_around(const std::string& code, std::size_t at) {
  std::size_t first = at;
  for (int depth = 0; first > 0; --first) {
    const char c = code[first - 1];
    if (c == ')' || c == ']' || (c == '}' && depth > 0)) ++depth;
    if (depth == 0 && (c == ';' || c == '{' || c == '}')) break;
    if (depth > 0 && (c == '(' || c == '[' || c == '{')) --depth;
  }
  std::size_t last = at;
  for (int depth = 0; last < code.size(); ++last) {
    const char c = code[last];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if ((c == '}' || c == ';') && depth <= 0) break;
    if (c == ')' || c == ']' || c == '}') --depth;
  }
  std::string line;
  for (auto i = first; i < std::min(last + 1, code.size()); ++i) {
    const bool blank = std::isspace(static_cast<unsigned char>(code[i])) != 0;
    if (!blank) line += code[i];
    if (blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  return line;
}

/// The position behind the bracket that closes the one at `open`.
std::size_t past_bracket(const std::string& text, std::size_t open) {
  int depth = 0;
  for (auto i = open; i < text.size(); ++i) {
    if (text[i] == '(' || text[i] == '[') ++depth;
    if ((text[i] == ')' || text[i] == ']') && --depth == 0) return i + 1;
  }
  return text.size();
}

/// Labels, and conditions that the statement hangs on, are not part of it.
std::string without_prefix(std::string statement) {
  static const std::regex kLabel(R"(^(case [\w:]+|default|public|private) ?: ?)");
  static const std::regex kElse("^else ");
  static const std::regex kCondition(R"(^(if|for|while)( constexpr)? ?\()");
  for (std::smatch match;;) {
    if (std::regex_search(statement, match, kLabel) || std::regex_search(statement, match, kElse)) {
      statement.erase(0, static_cast<std::size_t>(match.length()));
    } else if (std::regex_search(statement, match, kCondition)) {
      const auto end = past_bracket(statement, static_cast<std::size_t>(match.length()) - 1);
      if (statement.substr(0, end).find("co_await") != std::string::npos) return statement;
      statement.erase(0, statement.find_first_not_of(' ', end));
    } else {
      return statement;
    }
  }
}

/// Whether `operand` is a name or a call whose arguments are names and plain calls. Braces, a
/// lambda and ?: make temporaries that g++ 12 destroys twice.
bool is_plain_call(const std::string& operand) {
  static const std::regex kTemporary(R"([{?]|\bco_await\b|(^|[(,=] ?)\[)");
  if (std::regex_search(operand, kTemporary)) return false;
  for (std::size_t i = 0; i < operand.size();) {
    if (operand[i] == '(') {
      i = past_bracket(operand, i);
    } else if (is_word(operand[i]) || std::string_view(":.<>, ").find(operand[i]) < 5) {
      ++i;
    } else if (operand.compare(i, 2, "->") == 0) {
      i += 2;
    } else {
      return false;
    }
  }
  return true;
}

/// "co_await stands alone": the one rule that keeps clear of everything g++ 12 miscompiles.
bool stands_alone(const std::string& statement) {
  static const std::regex kAlone(
      R"(^(co_return |[\w:<>,&* ]+ [&*]*(\w+|\[[\w, ]+\]) = |[\w.\->\[\]*]+ = )?co_await (.*);$)");
  std::smatch match;
  const auto bare = without_prefix(statement);
  return std::regex_match(bare, match, kAlone) && is_plain_call(match[3]);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> includes_of(const Source& source) {
  static const std::regex kInclude(R"(^\s*#include ([<"][^>"]+)[>"])");
  std::vector<std::string> includes;
  std::smatch match;
  for (const auto& line : lines_of(source.text)) {
    if (std::regex_search(line, match, kInclude)) includes.push_back(match[1]);
  }
  return includes;
}

// Who may include whom, besides itself. What is not a key (tests, bench) may include everything.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"storage", {}},
    {"registry/http", {"storage"}},
    {"registry", {"storage", "registry/http"}},
    {"p2p", {"storage", "registry/http"}},
    {"orchestrator/cccf", {"storage"}},
    {"orchestrator/engine", {"storage", "registry/http", "orchestrator/cccf"}},
    {"orchestrator/placement", {"storage", "orchestrator/cccf"}},
    {"orchestrator",
     {"storage", "registry/http", "registry", "p2p", "orchestrator/cccf", "orchestrator/engine",
      "orchestrator/placement"}},
    {"cli",
     {"storage", "registry/http", "registry", "p2p", "orchestrator", "orchestrator/cccf",
      "orchestrator/engine", "orchestrator/placement"}},
};

/// The room a file belongs to: the longest key that it lies below, else its first folder.
std::string room_of(const std::string& path) {
  std::string room = path.substr(0, path.find('/'));
  for (const auto& [key, arrows] : kArrows) {
    if (path.rfind(key + "/", 0) == 0 && key.size() > room.size()) room = key;
  }
  return room;
}

void check_includes(const Source& source, std::vector<std::string>& faults) {
  static const std::regex kPrivate(
      R"(^<(rocksdb/|boost/beast|nlohmann/|spdlog/|CLI/|yaml-cpp/|openssl/|zstd))");
  const auto includes = includes_of(source);
  const auto room = room_of(source.path);
  const bool header = fs::path(source.path).extension() == ".h";
  for (const auto& include : includes) {
    if (header && kArrows.count(room) && std::regex_search(include, kPrivate)) {
      faults.push_back("a header includes " + include + ">, which belongs in a .cc file");
    }
    if (include[0] != '"') continue;
    const auto path = include.substr(1);
    const auto arrows = kArrows.find(room);
    const bool allowed =
        room_of(path) == room || arrows == kArrows.end() || arrows->second.count(room_of(path)) > 0;
    if (!allowed) faults.push_back(room + " must not know " + path);
    if (!fs::exists(fs::path(SOURCE_ROOT) / path)) faults.push_back("not from the root: " + path);
  }
  const auto own = fs::path(source.path).replace_extension(".h").string();
  const bool has_own = !header && fs::exists(fs::path(SOURCE_ROOT) / own);
  if (has_own && (includes.empty() || includes.front() != "\"" + own)) {
    faults.push_back("does not include " + own + " first");
  }
}

void check_lines(const Source& source, std::vector<std::string>& faults) {
  static const std::regex kBlanks(R"(\t| $)");
  static const std::regex kMark(R"(\b(TO)"
                                R"(DO|FIX)"
                                R"(ME|XX)"
                                R"(X|HA)"
                                R"(CK)\b)");
  const auto lines = lines_of(source.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto place = "line " + std::to_string(i + 1) + ": ";
    // Columns are characters: the continuation bytes of UTF-8 do not count.
    const auto columns =
        std::count_if(lines[i].begin(), lines[i].end(), [](char c) { return (c & 0xC0) != 0x80; });
    if (static_cast<std::size_t>(columns) > kColumnsMax) faults.push_back(place + "too long");
    if (std::regex_search(lines[i], kBlanks)) faults.push_back(place + "tab or trailing blank");
    if (std::regex_search(lines[i], kMark)) faults.push_back(place + "a mark for later");
  }
  if (lines.size() > kLinesMax) faults.push_back("more than one subject: over 600 lines");
}

void check_code(const Source& source, std::vector<std::string>& faults) {
  static const std::string kAwait = "co_await";
  const auto& code = source.code;
  for (auto at = code.find(kAwait); at != std::string::npos; at = code.find(kAwait, at + 1)) {
    if (at > 0 && is_word(code[at - 1])) continue;
    const auto end = at + kAwait.size();
    if (end < code.size() && is_word(code[end])) continue;
    const auto statement = statement_around(code, at);
    if (!stands_alone(statement)) faults.push_back("co_await does not stand alone: " + statement);
  }
  static const std::regex kUsing(R"(\busing namespace\b)");
  if (std::regex_search(code, kUsing)) faults.push_back("using namespace");
  // In C++20 what the call returned is gone before the first round.
  static const std::regex kLoopOverTemporary(
      R"(\bfor \([^;()]* : ([^;{}()]|\([^()]*\))*\([^()]*\)->)");
  if (std::regex_search(code, kLoopOverTemporary)) faults.push_back("a loop over a temporary");

  const bool header = fs::path(source.path).extension() == ".h";
  static const std::regex kOnce(R"(^(\s|//[^\n]*\n)*#pragma once\n)");
  if (header && !std::regex_search(source.text, kOnce)) {
    faults.push_back("does not start with #pragma once");
  }
  static const std::regex kTestName(R"re(\bTEST_CASE\(\s*"((\\.|[^"\\])*)")re");
  static const std::regex kSentence(R"(^([A-Z0-9`\\]|[a-z]+[0-9_])[^ ]*( \S+)+[^.\s]$)");
  auto name = std::sregex_iterator(source.text.begin(), source.text.end(), kTestName);
  for (; name != std::sregex_iterator(); ++name) {
    // A sample inside a literal is not a test.
    if (code[static_cast<std::size_t>(name->position())] != 'T') continue;
    const std::string text = (*name)[1];
    if (!std::regex_match(text, kSentence)) faults.push_back("not a sentence: " + text);
  }
}

Source source_of(std::string path, std::string text) {
  auto code = blank_text(text);
  return {std::move(path), std::move(text), std::move(code)};
}

std::vector<std::string> faults_in(const Source& source) {
  std::vector<std::string> faults;
  check_lines(source, faults);
  const auto extension = fs::path(source.path).extension();
  if (extension == ".h" || extension == ".cc") {
    check_includes(source, faults);
    check_code(source, faults);
  }
  return faults;
}

TEST_CASE("Sources follow the house rules", "[tidy]") {
  static const std::set<std::string> kKinds = {".h", ".cc", ".py", ".cmake", ".txt", ".sh"};
  const fs::path root = SOURCE_ROOT;
  std::size_t files = 0;
  for (const auto* folder :
       {"storage", "registry", "p2p", "orchestrator", "cli", "tests", "bench", "cmake"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || !kKinds.count(entry.path().extension().string())) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::string text((std::istreambuf_iterator<char>(file)), {});
      const auto source = source_of(entry.path().lexically_relative(root).string(), text);
      for (const auto& fault : faults_in(source)) FAIL_CHECK(source.path << ": " << fault);
      ++files;
    }
  }
  CHECK(files > 20);
}

TEST_CASE("A co_await that does not stand alone is found, on one line or on several", "[tidy]") {
  const auto* const bad = GENERATE(
      "{ if (co_await f()) return; }", "{ while (co_await\n  f()) g(); }",
      "{ auto x = a ? b\n  : co_await f(); }", "{ co_await f(Options{x}); }",
      "{ co_await f(\n  {.a = x}); }", "{ co_await f([s] { g(s); }); }",
      "{ co_await f(a,\n  [&](int n) { return n; }); }", "{ co_await Task{}.run(); }",
      "{ auto x = *co_await f(); }", "{ return g(co_await f()); }", "{ CHECK(co_await f()); }",
      "{ auto x = co_await f() + 1; }", "{ for (auto& x : co_await f()) g(x); }",
      "{ auto x = co_await f(co_await g()); }", "{ switch (co_await f()) { default: return; } }",
      "{ co_return 1 + co_await f(); }", "{ if (a) {} else if (co_await f()) { } }");
  CAPTURE(bad);
  CHECK_FALSE(faults_in(source_of("cli/sample.cc", bad)).empty());
}

TEST_CASE("A co_await that stands alone is left alone", "[tidy]") {
  const auto* const good = GENERATE(
      "{ co_await f(); }", "{ auto x = co_await f(a, std::move(b)); }",
      "{ const Result<std::vector<int>> x =\n    co_await f(a[1],\n      g(b)); }",
      "{ co_return co_await f<int>(x); }", "{ if (a) co_await b->f(); else co_await c.f(); }",
      "{ auto [a, b] = co_await f(); }", "{ spawn(e, [&]() -> T { co_await f(); }, d); }",
      "{ auto e = co_await asio::this_coro::executor; }", "{ case A: co_return co_await f(); }",
      "{ x = co_await f(); }", "{ // if (co_await f())\n }", "{ log(\"co_await f{}\"); }",
      "{ if (!ok) { g(); } co_await f(); }", "{ for (;;) co_await f(i); }");
  CAPTURE(good);
  CHECK(faults_in(source_of("cli/sample.cc", good)) == std::vector<std::string>{});
}

TEST_CASE("Includes against the arrows, private headers and marks for later are found", "[tidy]") {
  const auto faults = [](std::string path, std::string text) {
    return faults_in(source_of(std::move(path), std::move(text))).size();
  };
  CHECK(faults("storage/a.cc", "#include \"registry/api.h\"\n") == 1);
  CHECK(faults("registry/http/a.cc", "#include \"registry/api.h\"\n") == 1);
  CHECK(faults("orchestrator/cccf/a.cc", "#include \"orchestrator/keys.h\"\n") == 1);
  CHECK(faults("registry/a.cc", "#include \"registry/http/message.h\"\n") == 0);
  CHECK(faults("cli/a.h", "#pragma once\n#include <nlohmann/json.hpp>\n") == 1);
  CHECK(faults("cli/a.cc", "#include <nlohmann/json.hpp>\n") == 0);
  CHECK(faults("cli/a.cc", "#include \"cli/no_such_header.h\"\n") == 1);
  CHECK(faults("cli/a.h", "int f();\n") == 1);
  CHECK(faults("cli/a.cc",
               "// TO"
               "DO: later\n") == 1);
  CHECK(faults("cli/a.cc", std::string(101, 'x')) == 1);
  CHECK(faults("cli/a.cc", "{ for (auto& x : peers.now()->peers) f(x); }\n") == 1);
  CHECK(faults("cli/a.cc", "{ for (auto& x : set->peers) f(x->y()->z); }\n") == 0);
  CHECK(faults("tests/a.cc", "TEST_CASE(\"digest\") {}\n") == 1);
  CHECK(faults("tests/a.cc", "TEST_CASE(\"A digest has one spelling\") {}\n") == 0);
}

}  // namespace
}  // namespace shoal
