#include "daemon/batch/chunker.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "daemon/workers/batch_protocol.h"
#include "pipelines/batch/splitter.h"

namespace runnel {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

std::size_t Chunker::SlotBytes(const ChunkOptions& options) {
  // A block more: what a chunk takes before it knows that the file has ended.
  const std::size_t bytes = batch::kHeaderRoom + options.bytes + kBlock + Decoder::kPadding;
  return (bytes + 4095) / 4096 * 4096;
}

std::uint64_t Chunker::bytes_read() const {
  return done_ + (source_ != nullptr ? source_->consumed() : 0);
}

std::uint64_t Chunker::bytes_total() const {
  std::uint64_t total = 0;
  for (const InputFile& input : inputs_) {
    if (input.is_stream) return 0;
    total += input.size;
  }
  return total;
}

// Fills [to, to + size) unless the file ends before: a chunk must not depend on how much a
// pipe gives at once.
Result<std::size_t> Chunker::ReadUpTo(char* to, std::size_t size) {
  std::size_t got = 0;
  while (got < size) {
    const Result<std::size_t> read = source_->Read(to + got, std::min(size - got, kBlock));
    if (!read.ok()) return read.error();
    if (read.value() == 0) {
      ended_ = true;
      break;
    }
    got += read.value();
  }
  return got;
}

Error Chunker::TooLong(const char* what, std::size_t most) const {
  return Error{ErrorKind::kFix, "`" + inputs_[file_].path + "`:" + std::to_string(line_) + ": " +
                                    what + " of more than " + std::to_string(most) + " bytes"};
}

// Opens the next file and reads its first block to `slot`.
Status Chunker::OpenNext(char* slot, std::size_t& size) {
  Result<std::unique_ptr<ByteSource>> source = ByteSource::Open(inputs_[file_].path, *streams_);
  if (!source.ok()) return source.error();
  source_ = std::move(source).value();
  ended_ = false;
  line_ = 1;
  position_ = 0;
  header_.clear();
  const Result<std::size_t> read = ReadUpTo(slot, std::min(kBlock, options_.bytes));
  if (!read.ok()) return read.error();
  size = read.value();
  return {};
}

// Keeps the names in the first row; `begin` moves behind them.
Status Chunker::TakeHeader(char* slot, std::size_t& begin, std::size_t size) {
  std::string_view text(slot + begin, size - begin);
  if (text.starts_with(kByteOrderMark)) {
    begin += kByteOrderMark.size();
    text.remove_prefix(kByteOrderMark.size());
  }
  if (!options_.header || text.empty()) return {};
  std::size_t blank = 0;
  while (blank < text.size() && (text[blank] == '\n' || text[blank] == '\r')) ++blank;
  if (blank == text.size() && ended_) return {};
  std::size_t end = FirstRecordEnd(text.substr(blank), options_.quote);
  if (end == 0 && ended_) end = text.size() - blank;
  if (end == 0 || end > batch::kHeaderRoom) {
    return TooLong("a header", std::min(batch::kHeaderRoom, options_.bytes));
  }
  header_ = text.substr(blank, end);
  line_ += CountText(text.substr(0, blank + end), 0).lines;
  begin += blank + end;
  return {};
}

Result<bool> Chunker::Fill(char* slot, Chunk& chunk) {
  char* const text = slot + batch::kHeaderRoom;
  std::size_t begin = 0;
  std::size_t size = carry_.size();
  if (source_ == nullptr) {
    if (file_ == inputs_.size()) return false;
    if (Status opened = OpenNext(text, size); !opened.ok()) return opened.error();
    if (Status taken = TakeHeader(text, begin, size); !taken.ok()) return taken.error();
    position_ = begin;
  } else {
    std::memcpy(text, carry_.data(), size);
  }
  const std::size_t wanted = begin + options_.bytes;
  TextCounts counts = CountText({text + begin, size - begin}, options_.quote);
  while (size < wanted && !ended_) {
    const Result<std::size_t> read = ReadUpTo(text + size, std::min(kBlock, wanted - size));
    if (!read.ok()) return read.error();
    const TextCounts more = CountText({text + size, read.value()}, options_.quote);
    counts.lines += more.lines;
    counts.quotes += more.quotes;
    size += read.value();
  }
  std::string_view all(text + begin, size - begin);
  std::size_t whole = all.size();
  if (!ended_) {
    whole = LastRecordEnd(all, counts, options_.quote);
    // A quote that is never closed: the reader of the rows will say so.
    if (whole == 0) whole = all.rfind('\n') + 1;
    if (whole == 0) return TooLong("a record", options_.bytes);
  }
  carry_.assign(all.substr(whole));
  counts.lines -= CountText(carry_, 0).lines;
  std::memcpy(slot, header_.data(), header_.size());
  chunk = Chunk();
  chunk.number = number_++;
  chunk.file = file_;
  chunk.line = line_;
  chunk.header = header_.size();
  chunk.begin = batch::kHeaderRoom + begin;
  chunk.size = whole;
  line_ += counts.lines;
  position_ += whole;
  chunk.position = position_;
  chunk.next_line = line_;
  chunk.file_ends = ended_;
  if (ended_) {
    done_ += source_->consumed();
    source_.reset();
    ++file_;
  }
  return true;
}

Status Chunker::ResumeBehind(const Chunk& chunk) {
  number_ = chunk.number + 1;
  file_ = chunk.file;
  for (std::size_t i = 0; i < file_; ++i) done_ += inputs_[i].size;
  if (chunk.file_ends) {
    done_ += inputs_[file_].size;
    ++file_;
    return {};
  }
  std::vector<char> block(std::max(kBlock, batch::kHeaderRoom) + Decoder::kPadding);
  std::size_t size = 0;
  std::size_t begin = 0;
  if (Status opened = OpenNext(block.data(), size); !opened.ok()) return opened;
  if (Status taken = TakeHeader(block.data(), begin, size); !taken.ok()) return taken;
  std::uint64_t at = size;
  while (at < chunk.position && !ended_) {
    const Result<std::size_t> read =
        ReadUpTo(block.data(), std::min<std::uint64_t>(kBlock, chunk.position - at));
    if (!read.ok()) return read.error();
    at += read.value();
    size = 0;
  }
  if (at < chunk.position)
    return Error{ErrorKind::kFix, "`" + inputs_[file_].path + "` is shorter now"};
  // What the first block has behind the place.
  if (size > 0 && at > chunk.position)
    carry_.assign(block.data() + chunk.position, at - chunk.position);
  line_ = chunk.next_line;
  position_ = chunk.position;
  return {};
}

}  // namespace runnel
