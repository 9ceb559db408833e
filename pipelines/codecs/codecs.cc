#include "pipelines/codecs/codecs.h"

namespace runnel {
namespace {

const Codec* Find(std::string_view name) {
  for (const Codec& codec : Codecs()) {
    if (codec.name == name) return &codec;
  }
  return nullptr;
}

}  // namespace

std::span<const Codec> Codecs() {
  static const Codec all[] = {
#define CODEC(name) codecs::name(),
#include "pipelines/codecs/codecs.def"
#undef CODEC
  };
  return all;
}

std::unique_ptr<Decoder> MakeDecoder(std::string_view name, const FieldTable& table,
                                     Unmentioned unmentioned) {
  const Codec* const codec = Find(name);
  return codec == nullptr ? nullptr : codec->make_decoder(table, unmentioned);
}

std::unique_ptr<Encoder> MakeEncoder(std::string_view name) {
  const Codec* const codec = Find(name);
  return codec == nullptr ? nullptr : codec->make_encoder();
}

}  // namespace runnel
