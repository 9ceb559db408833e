#include "config/environment.h"

#include <algorithm>
#include <string_view>

#include "config/file.h"

namespace runnel {
namespace {

constexpr std::size_t kCredentialMax = 64 * 1024;
constexpr std::size_t kAddedMax = 1024 * 1024;  // bytes put in, per tree

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::size_t VariableSize(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() &&
         (IsAlpha(text[size]) || text[size] == '_' || (size > 0 && IsDigit(text[size])))) {
    ++size;
  }
  return size;
}

// The name of a file in a folder, and nothing that leads out of it.
bool IsCredentialName(std::string_view name) {
  const auto good = [](char c) {
    return IsAlpha(c) || IsDigit(c) || c == '_' || c == '-' || c == '.' || c == '@';
  };
  return !name.empty() && name.size() <= 255 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), good);
}

class Substitution final {
 public:
  Substitution(const Environment& environment, Credentials credentials, Diagnostics& diagnostics)
      : environment_(environment), credentials_(credentials), diagnostics_(diagnostics) {}

  void Visit(Node& node) {
    if (node.IsScalar() && node.text.find('$') != std::string::npos) Scalar(node);
    for (Node& item : node.items) Visit(item);
    for (Node::Member& member : node.members) Visit(member.value);
  }
  bool ok() const { return ok_; }

 private:
  void Scalar(Node& node) {
    const std::string source = std::move(node.text);
    node.text.clear();
    std::string_view rest = source;
    while (!rest.empty()) {
      const std::size_t dollar = std::min(rest.find('$'), rest.size());
      node.text.append(rest.substr(0, dollar));
      rest.remove_prefix(dollar);
      if (rest.starts_with("${")) {
        const std::size_t end = rest.find('}');
        if (end == std::string_view::npos) {
          Wrong(node, "`${` without `}`", "write `$${` for the text itself");
          return;
        }
        Reference(node, rest.substr(2, end - 2));
        rest.remove_prefix(end + 1);
      } else if (!rest.empty()) {
        node.text.push_back('$');
        rest.remove_prefix(rest.starts_with("$$") ? 2 : 1);
      }
    }
  }

  // `inside` is what stands between the braces.
  void Reference(Node& node, std::string_view inside) {
    if (inside.starts_with("cred:")) {
      Credential(node, std::string(inside.substr(5)));
      return;
    }
    const std::size_t size = VariableSize(inside);
    const std::string name(inside.substr(0, size));
    const std::string_view operation = inside.substr(size, 2);
    const std::string_view operand = inside.substr(std::min(inside.size(), size + 2));
    const bool known = operation.empty() || operation == ":-" || operation == ":?";
    if (name.empty() || !known || operand.find("${") != std::string_view::npos) {
      Wrong(node, "`${" + std::string(inside) + "}` is not a reference",
            "expected `${NAME}`, `${NAME:-default}`, `${NAME:?message}` or `${cred:NAME}`; "
            "write `$${` for the text itself");
      return;
    }
    std::optional<std::string> value =
        environment_.variable ? environment_.variable(name) : std::nullopt;
    const bool absent = !value || (value->empty() && !operation.empty());
    if (absent && operation == ":-") value = std::string(operand);
    if (absent && operation != ":-") {
      const bool message = operation == ":?" && !operand.empty();
      Wrong(node,
            "`" + name + "` is not set in the environment" +
                (message ? ": " + std::string(operand) : std::string()),
            operation.empty() ? "`${" + name + ":-default}` gives a default" : "");
      return;
    }
    Put(node, *value, Node::Origin::kEnvironment);
  }

  void Credential(Node& node, const std::string& name) {
    if (credentials_ == Credentials::kRefused) {
      Wrong(node, "credential `" + name + "` in a pipeline, whose workers must not know secrets",
            "use it in runnel.yaml");
      return;
    }
    if (!IsCredentialName(name) || !environment_.credential) {
      Wrong(node, "`" + name + "` is not the name of a credential");
      return;
    }
    const Result<std::string> value = environment_.credential(name);
    if (!value.ok()) {
      Wrong(node, "credential `" + name + "`: " + value.error().message,
            "`LoadCredential=" + name + ":PATH` in the unit, or CREDENTIALS_DIRECTORY, names it");
      return;
    }
    Put(node, value.value(), Node::Origin::kCredential);
  }

  void Put(Node& node, std::string_view value, Node::Origin origin) {
    added_ += value.size();
    if (added_ > kAddedMax) {
      Wrong(node, "the environment puts more than " + std::to_string(kAddedMax) + " bytes in");
      return;
    }
    if (value.find('\0') != std::string_view::npos) {
      Wrong(node, "a value from outside that contains a NUL character");
      return;
    }
    node.text.append(value);
    node.origin = std::max(node.origin, origin);
  }

  void Wrong(const Node& node, std::string message, std::string hint = {}) {
    diagnostics_.Error(node.position, std::move(message), std::move(hint));
    ok_ = false;
  }

  const Environment& environment_;
  const Credentials credentials_;
  Diagnostics& diagnostics_;
  std::size_t added_ = 0;
  bool ok_ = true;
};

}  // namespace

Environment SystemdEnvironment(ReadVariable variable) {
  Environment environment;
  environment.variable = variable;
  environment.credential = [variable](const std::string& name) -> Result<std::string> {
    const std::optional<std::string> folder = variable("CREDENTIALS_DIRECTORY");
    if (!folder || folder->empty()) {
      return Error{ErrorKind::kFix, "CREDENTIALS_DIRECTORY is not set"};
    }
    Result<std::string> content = ReadWholeFile(*folder + "/" + name, kCredentialMax);
    if (content.ok() && content.value().ends_with('\n')) content.value().pop_back();
    return content;
  };
  return environment;
}

bool Substitute(Node& root, const Environment& environment, Credentials credentials,
                Diagnostics& diagnostics) {
  Substitution substitution(environment, credentials, diagnostics);
  substitution.Visit(root);
  return substitution.ok();
}

}  // namespace runnel
