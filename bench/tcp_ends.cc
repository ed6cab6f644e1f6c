#include "bench/tcp_ends.h"

#include <algorithm>
#include <string_view>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/content.h"
#include "bench/fatal.h"

namespace shoal::bench {
namespace {

constexpr std::size_t kStep = 256 << 10;

Descriptor open_file(const std::filesystem::path& file, int flags) {
  Descriptor opened(::open(file.c_str(), flags | O_CLOEXEC, 0600));
  if (opened.get() < 0) fatal_errno(file.string());
  return opened;
}

}  // namespace

void send_file(const Descriptor& listener, const std::filesystem::path& file) {
  const Descriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.get() < 0) fatal_errno("accept");
  const auto from = open_file(file, O_RDONLY);
  for (auto left = std::filesystem::file_size(file); left > 0;) {
    const auto sent = ::sendfile(socket.get(), from.get(), nullptr, left);
    if (sent <= 0) fatal_errno("sendfile");
    left -= static_cast<std::uint64_t>(sent);
  }
}

void receive_file(const std::string& address, const std::filesystem::path& file,
                  std::uint64_t size) {
  const auto socket = connect_to(Address::parse(address));
  const auto into = open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
  const Buffer buffer(kStep);
  std::uint64_t total = 0;
  while (const auto received = receive_some(socket.get(), buffer.bytes())) {
    for (auto bytes = buffer.view().substr(0, received); !bytes.empty();) {
      const auto written = ::write(into.get(), bytes.data(), bytes.size());
      if (written < 0) fatal_errno(file.string());
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    total += received;
  }
  expect(total == size, "received {} bytes of {}", total, size);
  if (::fsync(into.get()) != 0) fatal_errno(file.string());
}

}  // namespace shoal::bench
