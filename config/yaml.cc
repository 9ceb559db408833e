#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "config/source_text.h"
#include "config/yaml_builder.h"

namespace runnel {
namespace {

using internal::TreeBuilder;

// Thrown by the handler to make yaml-cpp stop; the reason is in the diagnostics.
struct Stop {};

std::size_t OffsetOf(const YAML::Mark& mark) {
  return mark.pos > 0 ? static_cast<std::size_t>(mark.pos) : 0;
}

// Passes the events of yaml-cpp on to a TreeBuilder.
class Handler final : public YAML::EventHandler {
 public:
  Handler(TreeBuilder& builder, const SourceText& source, Diagnostics& diagnostics)
      : builder_(builder), source_(source), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    const std::size_t offset = OffsetOf(mark);
    const bool marked = source_.From(offset).starts_with("---");
    diagnostics_.Error(source_.At(offset), marked
                                               ? "a second document in one file"
                                               : "unexpected text after the end of the document");
    throw Stop{};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Go(builder_.Null(ContentOf(mark), anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Go(builder_.Alias(OffsetOf(mark), anchor));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Tag(mark, tag);
    Go(builder_.Scalar(ContentOf(mark), anchor, value, tag == "!"));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Tag(mark, tag);
    Go(builder_.Start(Node::Kind::kSequence, ContentOf(mark), anchor));
  }
  void OnSequenceEnd() override { Go(builder_.End()); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Tag(mark, tag);
    Go(builder_.Start(Node::Kind::kMap, ContentOf(mark), anchor));
  }
  void OnMapEnd() override { Go(builder_.End()); }

 private:
  static void Go(bool on) {
    if (!on) throw Stop{};
  }
  // Behind anchor and tag, at which the parser sees a value begin.
  std::size_t ContentOf(const YAML::Mark& mark) const {
    const std::string_view text = source_.text();
    std::size_t at = OffsetOf(mark);
    while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
      at = std::min(text.find_first_of(" \t\r\n", at), text.size());
      at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
    }
    return at;
  }
  void Tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    diagnostics_.Error(source_.At(OffsetOf(mark)), "a tag, which has no meaning here",
                       "leave out `!...`; put text in quotes");
  }

  TreeBuilder& builder_;
  const SourceText& source_;
  Diagnostics& diagnostics_;
  int documents_ = 0;
};

struct Explanation {
  std::string_view theirs;  // how the message of yaml-cpp begins
  std::string_view ours;
  std::string_view hint;
};

constexpr Explanation kExplanations[] = {
    {"illegal map value", "a colon that is not expected here",
     "check the indentation; put text that contains `: ` in quotes"},
    {"end of map not found", "expected an option or the end of the map",
     "check the indentation and the quotes"},
    {"end of sequence not found", "expected `-` or the end of the list",
     "check the indentation and the quotes"},
    {"illegal flow end", "a closing bracket that nothing has opened", ""},
    {"illegal block entry", "a list item that is not expected here",
     "begin the list on a line of its own"},
    {"illegal map key", "a key that is not expected here", "check the indentation"},
    {"unknown token", "a character that cannot begin text", "put the text in quotes"},
    {"the referenced anchor is not defined", "an alias of an anchor that is not defined before",
     ""},
    {"unknown escape character", "an escape that YAML does not know",
     "write `\\\\` for a backslash, or use single quotes"},
    {"illegal tab", "a tab indents this line", "YAML wants blanks"},
};

// Reports a syntax error at the place where somebody would look for it.
void Explain(const YAML::ParserException& error, const TreeBuilder& builder,
             const SourceText& source, Diagnostics& diagnostics) {
  const std::size_t offset = OffsetOf(error.mark);
  const std::string_view theirs = error.msg;
  if (const std::optional<std::size_t> tab = source.IndentingTab(offset)) {
    diagnostics.Error(source.At(*tab), "a tab indents this line", "YAML wants blanks");
    return;
  }
  if (theirs.starts_with("end of map flow") || theirs.starts_with("end of sequence flow")) {
    const bool map = theirs.starts_with("end of map flow");
    const bool at_end =
        source.text().find_first_not_of(" \r\n\t", offset) == std::string_view::npos;
    if (at_end) {
      const char open[] = {map ? '{' : '[', '\0'};
      diagnostics.Error(source.At(builder.OpenFlow(open[0])),
                        "`" + std::string(open) + "` is never closed");
      return;
    }
    const bool variable = offset > 0 && source.From(offset - 1).starts_with("${");
    const bool bracket = source.From(offset).find_first_of("{}[]") == 0;
    diagnostics.Error(source.At(offset), map ? "expected `,` or `}`" : "expected `,` or `]`",
                      variable  ? "inside `{}` and `[]` put `${...}` in quotes"
                      : bracket ? "inside `{}` and `[]` put text with brackets in quotes, such as "
                                  "`\"in/{device}\"`"
                                : "");
    return;
  }
  for (const Explanation& explanation : kExplanations) {
    if (!theirs.starts_with(explanation.theirs)) continue;
    diagnostics.Error(source.At(offset), std::string(explanation.ours),
                      std::string(explanation.hint));
    return;
  }
  diagnostics.Error(source.At(offset), "not YAML: " + error.msg);
}

// A line that begins with `%` before the document; yaml-cpp skips unknown ones.
bool HasDirective(const SourceText& source, Diagnostics& diagnostics) {
  const std::string_view text = source.text();
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n", at)) != std::string_view::npos) {
    if (text[at] == '%') {
      diagnostics.Error(source.At(at), "a directive, which has no meaning here");
      return true;
    }
    if (text[at] != '#') return false;
    at = std::min(text.find('\n', at), text.size());
  }
  return false;
}

}  // namespace

std::optional<Node> ParseYaml(std::string_view text, const std::string& file,
                              const YamlLimits& limits, Diagnostics& diagnostics) {
  const std::optional<SourceText> source =
      SourceText::Check(text, file, limits.bytes_max, diagnostics);
  if (!source || HasDirective(*source, diagnostics)) return std::nullopt;
  const std::size_t errors_before = diagnostics.errors();
  TreeBuilder builder(*source, limits, diagnostics);
  Handler handler(builder, *source, diagnostics);
  try {
    std::istringstream stream{std::string(source->text())};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(handler)) {
    }
  } catch (const Stop&) {
    return std::nullopt;
  } catch (const YAML::ParserException& error) {
    Explain(error, builder, *source, diagnostics);
    return std::nullopt;
  } catch (const std::exception& error) {
    diagnostics.Error({file, 0, 0}, std::string("not YAML: ") + error.what());
    return std::nullopt;
  }
  std::optional<Node> root = builder.TakeRoot();
  if (diagnostics.errors() != errors_before) root.reset();
  return root;
}

}  // namespace runnel
