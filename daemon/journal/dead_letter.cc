#include "daemon/journal/dead_letter.h"

#include "pipelines/base/bytes.h"

namespace runnel {

void AppendDeadLetterPrefix(const Output& output, std::string& bytes) {
  ByteWriter writer;
  writer.String(output.reason);
  writer.String(output.stage);
  writer.U8(static_cast<std::uint8_t>(output.signal));
  bytes.append(writer.bytes());
}

Result<DeadLetter> ParseDeadLetter(std::string_view bytes) {
  ByteReader reader(bytes);
  DeadLetter letter;
  letter.reason = reader.String();
  letter.stage = reader.String();
  letter.signal = reader.U8();
  if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a dead letter is cut off"};
  letter.payload = reader.Raw(reader.remaining());
  return letter;
}

}  // namespace runnel
