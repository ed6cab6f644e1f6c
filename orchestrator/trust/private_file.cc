#include "orchestrator/trust/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr std::size_t kBytesMax = 1 << 20;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

tl::unexpected<Error> failure(std::string_view what, const std::filesystem::path& path) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return fail(full ? Errc::disk_full : Errc::io,
              fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error)));
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

Result<void> write_private_file(const std::filesystem::path& path, std::string_view text) {
  const auto folder = path.parent_path();
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) {
    std::filesystem::create_directories(folder, error);
    if (error || ::chmod(folder.c_str(), 0700) != 0) return failure("create", folder);
  }
  // A name of its own would be left behind by a kill; this one is written over the next time.
  auto fresh = path;
  fresh += ".new";
  ::unlink(fresh.c_str());
  {
    const File file(::open(fresh.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!file.open()) return failure("create", fresh);
    if (!write_all(file.get(), text) || ::fsync(file.get()) != 0) return failure("write", fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failure("replace", path);
  const File directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open() || ::fsync(directory.get()) != 0) return failure("sync", folder);
  return {};
}

Result<std::string> read_private_file(const std::filesystem::path& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open() && (errno == ENOENT || errno == ENOTDIR)) {
    return fail(Errc::member_unknown, path.string() + " does not exist");
  }
  if (!file.open()) return failure("open", path);
  std::string text;
  char buffer[16'384];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("read", path);
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kBytesMax) {
      return fail(Errc::corrupt, path.string() + " is too large to be one of this node's");
    }
  }
}

}  // namespace shoal
