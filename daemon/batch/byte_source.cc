#include "daemon/batch/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/batch/stop_signals.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

constexpr std::size_t kPackedBytes = 256 * 1024;

// A file with its first bytes given back.
class File final {
 public:
  static Result<File> Open(const std::string& path, Streams& streams);
  const std::string& path() const { return path_; }
  std::uint64_t consumed() const { return consumed_; }

  Result<std::size_t> Read(char* to, std::size_t size) {
    if (head_.empty()) return ReadFresh(to, size);
    const std::size_t taken = std::min(size, head_.size() - taken_);
    std::memcpy(to, head_.data() + taken_, taken);
    taken_ += taken;
    if (taken_ == head_.size()) std::string().swap(head_);
    return taken;
  }
  // The first four bytes, which stay to be read.
  Result<std::string> Peek() {
    char first[4];
    while (head_.size() < sizeof first) {
      const Result<std::size_t> read = ReadFresh(first, sizeof first - head_.size());
      if (!read.ok()) return read.error();
      if (read.value() == 0) break;
      head_.append(first, read.value());
    }
    return head_.substr(0, sizeof first);
  }

 private:
  File(Fd fd, std::string path, int stop_fd)
      : fd_(std::move(fd)), path_(std::move(path)), stop_fd_(stop_fd) {}

  // What a fifo or a terminal gives behind its end is not of this input any more.
  Result<std::size_t> ReadFresh(char* to, std::size_t size) {
    if (ended_) return std::size_t{0};
    ssize_t got;
    do {
      if (Status ready = WaitFor(fd_.get(), POLLIN, stop_fd_); !ready.ok()) return ready.error();
      got = read(fd_.get(), to, size);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0) return Errno("reading `" + path_ + "`");
    consumed_ += static_cast<std::uint64_t>(got);
    ended_ = got == 0;
    if (kept_ != nullptr) {
      kept_->seen.append(to, static_cast<std::size_t>(got));
      kept_->ended = ended_;
    }
    return static_cast<std::size_t>(got);
  }

  Fd fd_;
  std::string path_;
  int stop_fd_;
  std::string head_;               // read again
  std::size_t taken_ = 0;          // of head_
  Streams::Kept* kept_ = nullptr;  // gets all that is read
  std::uint64_t consumed_ = 0;
  bool ended_ = false;
};

Result<File> File::Open(const std::string& path, Streams& streams) {
  const bool is_standard = path == "-";
  const std::string name = is_standard ? "standard input" : path;
  if (const auto kept = streams.kept.find(path); kept != streams.kept.end() && !streams.looking) {
    File file(std::move(kept->second.fd), name, streams.stop_fd);
    file.head_ = std::move(kept->second.seen);
    file.consumed_ = file.head_.size();
    file.ended_ = kept->second.ended;
    streams.kept.erase(kept);
    return file;
  }
  // A fifo is there at once so; then reading waits for its writer.
  Fd fd(is_standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                    : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (!fd.valid() || fstat(fd.get(), &about) != 0 ||
      (!is_standard && fcntl(fd.get(), F_SETFL, 0) != 0)) {
    return Errno("opening `" + path + "`");
  }
  posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  File file(std::move(fd), name, streams.stop_fd);
  if (!streams.looking || (S_ISREG(about.st_mode) && !is_standard)) return file;
  // Whoever opens it again would get what comes next.
  Result<Fd> same = Duplicate(file.fd_.get());
  if (!same.ok()) return same.error();
  file.kept_ = &streams.kept[path];
  *file.kept_ = {std::move(same).value(), {}, false};
  return file;
}

class Plain final : public ByteSource {
 public:
  explicit Plain(File file) : file_(std::move(file)) {}
  Result<std::size_t> Read(char* to, std::size_t size) override { return file_.Read(to, size); }
  std::uint64_t consumed() const override { return file_.consumed(); }

 private:
  File file_;
};

Error Damaged(const std::string& path, const std::string& what) {
  return Error{ErrorKind::kFix, "`" + path + "` " + what};
}

class Gzip final : public ByteSource {
 public:
  explicit Gzip(File file) : file_(std::move(file)), packed_(kPackedBytes) {
    open_ = inflateInit2(&stream_, 15 + 16) == Z_OK;
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { inflateEnd(&stream_); }
  std::uint64_t consumed() const override { return file_.consumed(); }

  Result<std::size_t> Read(char* to, std::size_t size) override {
    if (!open_) return Error{ErrorKind::kRetry, "no memory for reading gzip"};
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out == size) {
      if (stream_.avail_in == 0) {
        const Result<std::size_t> got = file_.Read(packed_.data(), packed_.size());
        if (!got.ok()) return got.error();
        if (got.value() == 0) {
          if (between_) return std::size_t{0};
          return Damaged(file_.path(), "breaks off: the gzip archive is not whole");
        }
        stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
        stream_.avail_in = static_cast<uInt>(got.value());
      }
      // Padding up to a block of a tape or a disk, as gzip passes it over.
      while (between_ && members_ > 0 && stream_.avail_in > 0 && *stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
      }
      if (stream_.avail_in == 0) continue;
      if (between_ && members_++ > 0) inflateReset(&stream_);
      between_ = false;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        between_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return Damaged(file_.path(), std::string("is damaged: ") +
                                         (stream_.msg == nullptr ? "no gzip" : stream_.msg));
      }
    }
    return size - stream_.avail_out;
  }

 private:
  File file_;
  std::vector<char> packed_;
  z_stream stream_{};
  bool open_ = false;
  bool between_ = true;  // members
  int members_ = 0;
};

class Zstd final : public ByteSource {
 public:
  explicit Zstd(File file)
      : file_(std::move(file)), packed_(kPackedBytes), stream_(ZSTD_createDStream()) {}
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() override { ZSTD_freeDStream(stream_); }
  std::uint64_t consumed() const override { return file_.consumed(); }

  Result<std::size_t> Read(char* to, std::size_t size) override {
    if (stream_ == nullptr) return Error{ErrorKind::kRetry, "no memory for reading zstd"};
    ZSTD_outBuffer out{to, size, 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size) {
        const Result<std::size_t> got = file_.Read(packed_.data(), packed_.size());
        if (!got.ok()) return got.error();
        if (got.value() == 0) {
          if (between_) return std::size_t{0};
          return Damaged(file_.path(), "breaks off: the zstd archive is not whole");
        }
        in_ = {packed_.data(), got.value(), 0};
      }
      const std::size_t result = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(result) != 0) {
        return Damaged(file_.path(), std::string("is damaged: ") + ZSTD_getErrorName(result));
      }
      between_ = result == 0;
    }
    return out.pos;
  }

 private:
  File file_;
  std::vector<char> packed_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool between_ = true;  // frames
};

// A frame, or one to be passed over, which may come first (RFC 8878, sections 3.1.1 and 3.1.2).
bool IsZstd(std::string_view first) {
  return first == "\x28\xb5\x2f\xfd" ||
         (first.ends_with("\x2a\x4d\x18") && first.size() == 4 && (first[0] & 0xf0) == 0x50);
}

}  // namespace

Result<std::unique_ptr<ByteSource>> ByteSource::Open(const std::string& path, Streams& streams) {
  Result<File> opened = File::Open(path, streams);
  if (!opened.ok()) return opened.error();
  File file = std::move(opened).value();
  const Result<std::string> first = file.Peek();
  if (!first.ok()) return first.error();
  if (first.value().starts_with("\x1f\x8b")) {
    return std::unique_ptr<ByteSource>(std::make_unique<Gzip>(std::move(file)));
  }
  if (IsZstd(first.value())) {
    return std::unique_ptr<ByteSource>(std::make_unique<Zstd>(std::move(file)));
  }
  return std::unique_ptr<ByteSource>(std::make_unique<Plain>(std::move(file)));
}

}  // namespace runnel
