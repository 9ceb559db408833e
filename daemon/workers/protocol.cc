#include "daemon/workers/protocol.h"

#include "pipelines/base/bytes.h"

namespace runnel {
namespace {

enum class Message : std::uint8_t { kHost = 1, kTask = 2, kGo = 3 };

constexpr std::size_t kHostPages = 3;
constexpr std::size_t kHostBells = 4;
constexpr std::size_t kHostFds = kHostPages + 2 * kHostBells;
constexpr std::size_t kTaskFds = 3;

void ReadHost(ByteReader& reader, ChannelMessage& message, Assignment& assignment) {
  HostSettings& settings = assignment.settings;
  settings.max_delay = std::chrono::nanoseconds(reader.Varint());
  settings.record_max = reader.Varint();
  settings.memory_max = reader.Varint();
  settings.poison_text = reader.String();
  HostLinks& links = assignment.links;
  auto fd = message.fds.begin();
  for (Fd* page : {&links.own_page, &links.uplink_page, &links.daemon_page}) {
    *page = std::move(*fd++);
  }
  for (Doorbell* bell :
       {&links.own_bell, &links.uplink_bell, &links.daemon_bell, &links.room_bell}) {
    Fd event = std::move(*fd++);
    *bell = Doorbell(std::move(event), std::move(*fd++));
  }
}

void ReadTask(ByteReader& reader, ChannelMessage& message, Assignment& assignment) {
  Assignment::OneTask task;
  task.settings.id.pipeline = reader.String();
  task.settings.id.generation = reader.U32();
  task.settings.id.stage = reader.U32();
  task.settings.id.partition = reader.U32();
  task.settings.last_stage = reader.U8() != 0;
  task.settings.appends = reader.Varint();
  task.settings.plan_fingerprint = reader.U64();
  task.settings.plan = reader.String();
  Fd* const places[kTaskFds] = {&task.files.in, &task.files.work, &task.files.settle};
  for (std::size_t i = 0; i < kTaskFds && i < message.fds.size(); ++i) {
    *places[i] = std::move(message.fds[i]);
  }
  assignment.tasks.push_back(std::move(task));
}

}  // namespace

Status SendHost(Channel& channel, const HostSettings& settings, const HostLinks& links) {
  ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(Message::kHost));
  writer.Varint(static_cast<std::uint64_t>(settings.max_delay.count()));
  writer.Varint(settings.record_max);
  writer.Varint(settings.memory_max);
  writer.String(settings.poison_text);
  std::vector<int> fds = {links.own_page.get(), links.uplink_page.get(), links.daemon_page.get()};
  for (const Doorbell* bell :
       {&links.own_bell, &links.uplink_bell, &links.daemon_bell, &links.room_bell}) {
    for (const int fd : bell->fds()) fds.push_back(fd);
  }
  return channel.Send(writer.bytes(), fds);
}

Status SendTask(Channel& channel, const TaskSettings& settings, const TaskDescriptors& files) {
  ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(Message::kTask));
  writer.String(settings.id.pipeline);
  writer.U32(settings.id.generation);
  writer.U32(settings.id.stage);
  writer.U32(settings.id.partition);
  writer.U8(settings.last_stage ? 1 : 0);
  writer.Varint(settings.appends);
  writer.U64(settings.plan_fingerprint);
  writer.String(settings.plan);
  return channel.Send(writer.bytes(), {files.in.get(), files.work.get(), files.settle.get()});
}

Status SendGo(Channel& channel) {
  const char go = static_cast<char>(Message::kGo);
  return channel.Send({&go, 1}, {});
}

Result<Assignment> ReceiveAssignment(Channel& channel) {
  Assignment assignment;
  for (;;) {
    Result<ChannelMessage> message = channel.Receive();
    if (!message.ok()) return message.error();
    ByteReader reader(message.value().bytes);
    const auto kind = static_cast<Message>(reader.U8());
    const std::size_t fds = message.value().fds.size();
    if (kind == Message::kGo) return assignment;
    if (kind == Message::kHost && fds == kHostFds) {
      ReadHost(reader, message.value(), assignment);
    } else if (kind == Message::kTask && fds == kTaskFds) {
      ReadTask(reader, message.value(), assignment);
    } else {
      return Error{ErrorKind::kGiveUp, "a message that is not of the daemon's protocol"};
    }
    if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a message of the daemon is cut off"};
  }
}

}  // namespace runnel
