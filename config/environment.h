// Environment: `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${cred:NAME}` and
// `$$` in the scalars of a configuration.
//
// Resolved after YAML is parsed, in values only, never in keys; what is put in is
// not parsed again. As in a shell, `:-` and `:?` also apply to an empty variable.
// A `$` before anything else is a dollar. The text of a credential is marked in
// the Node and never printed.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pipelines/base/result.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

using ReadVariable = std::function<std::optional<std::string>(const std::string& name)>;

// What there is outside of the configuration; passed in by main.
struct Environment {
  ReadVariable variable;  // nullopt: not set
  std::function<Result<std::string>(const std::string& name)> credential;
};

// Credentials as systemd hands them over: files in $CREDENTIALS_DIRECTORY, without
// the newline at the end, at most 64 KiB.
Environment SystemdEnvironment(ReadVariable variable);

enum class Credentials { kAllowed, kRefused };

// Replaces in place; what is wrong goes to `diagnostics`, false then. Credentials
// are refused where the tree goes to a worker, which must not know secrets.
bool Substitute(Node& root, const Environment& environment, Credentials credentials,
                Diagnostics& diagnostics);

}  // namespace runnel
