// Stored plans: the plans of the tasks, kept beside their journals by the daemon.
//
// For a later daemon whose configuration does not have a task any more: it needs the plan that
// the task has run, to work off what is left. One file for each plan, in
// `plans/PIPELINE/FINGERPRINT` below `runtime:` or `state:`; never changed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "pipelines/base/result.h"

namespace runnel {

// Keeps a plan (Node::Encode of its file) below `base`.
Status StorePlan(const std::string& base, const std::string& pipeline, std::uint64_t fingerprint,
                 std::string_view encoded);
// The plan as it was stored.
Result<std::string> ReadStoredPlan(const std::string& base, const std::string& pipeline,
                                   std::uint64_t fingerprint);
// Keeps all plans that are below `from` below `base` too.
Status CopyStoredPlans(const std::string& from, const std::string& base);
// Removes the plans that are not `wanted`.
void ForgetPlans(
    const std::string& base,
    const std::function<bool(const std::string& pipeline, std::uint64_t fingerprint)>& wanted);

}  // namespace runnel
