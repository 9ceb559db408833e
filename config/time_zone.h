// Time zones: the names in a pipeline, replaced by their rules.
//
// A worker opens no files, and an update of the zone database must not change a replay: so
// the rules travel in the plan (see pipelines/base/zone.h), read once, here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pipelines/base/zone.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

// The rules in a file of the zone database (TZif, RFC 8536), from the year 2000 to 2050, as Zone
// reads them: `OFFSET TIME:OFFSET …`. nullopt where the bytes are no such file.
std::optional<std::string> ParseTzif(std::string_view bytes);

// Puts the rules behind every name of a zone under a key `timezone`, from the database in
// `folder`. Names that are not there go to `diagnostics`; false then.
bool ResolveTimeZones(Node& root, const std::string& folder, Diagnostics& diagnostics);

// Puts the rules of the zones that expressions name, as in `now().getHours("Europe/Berlin")`,
// under the key `zones` of a pipeline. Names that are not there are left to the expression.
void ResolveExpressionZones(Node& root, const std::string& folder);
// The same for one expression.
ZoneTable ZonesOf(std::string_view expression, const std::string& folder);

inline constexpr const char* kZoneFolder = "/usr/share/zoneinfo";

}  // namespace runnel
