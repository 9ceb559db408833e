// StageTools: what the tasks of one stage have between them in a process.
//
// A decoder, encoders, records and scratch memory: what a turn needs and nothing that
// outlives it, but for what a decoder has learnt, which never changes a result. A worker
// that wakes up for a few messages of several tasks finds them in its caches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/codecs/codec.h"
#include "pipelines/codecs/exchange.h"
#include "pipelines/plan/compiled_plan.h"

namespace runnel {

struct StageTools {
  // `plan` outlives the tools.
  StageTools(const CompiledPlan& plan, std::size_t stage);

  std::unique_ptr<Decoder> decoder;                // first stage
  std::unique_ptr<ExchangeDecoder> from_exchange;  // later stages
  std::unique_ptr<ExchangeEncoder> to_exchange;    // all but the last
  std::unique_ptr<Encoder> encoder;
  std::vector<std::unique_ptr<Record>> records;  // one per table
  Record* input;                                 // the one of what comes into this stage
  Arena arena;
  std::string topic;  // scratch
  std::string payload;
};

}  // namespace runnel
