// The codecs that there are, by the name that a pipeline file calls them.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "pipelines/codecs/codec.h"

namespace runnel {

// One codec as its file declares it.
struct Codec {
  std::string_view name;
  std::string_view description;  // one sentence, for the manual
  // REQUIRES: the table is complete. It outlives the decoder.
  std::unique_ptr<Decoder> (*make_decoder)(const FieldTable& table, Unmentioned unmentioned);
  std::unique_ptr<Encoder> (*make_encoder)();
};

// In the order of codecs.def.
std::span<const Codec> Codecs();

// nullptr when there is no codec of that name.
std::unique_ptr<Decoder> MakeDecoder(std::string_view name, const FieldTable& table,
                                     Unmentioned unmentioned);
std::unique_ptr<Encoder> MakeEncoder(std::string_view name);

namespace codecs {
#define CODEC(name) Codec name();
#include "pipelines/codecs/codecs.def"
#undef CODEC
}  // namespace codecs

}  // namespace runnel
