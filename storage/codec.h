#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shoal {

/// Appends `value` so that byte order is number order: for keys.
void append_big_endian(std::string& text, std::uint64_t value);

/// The inverse; `text` must hold at least eight bytes.
[[nodiscard]] std::uint64_t read_big_endian(std::string_view text);

/// Writes a record: numbers as LEB128 varints, texts with their length in front.
class RecordWriter {
 public:
  RecordWriter& number(std::uint64_t value);
  RecordWriter& text(std::string_view value);
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what RecordWriter wrote. Past the end or on damage everything reads as zero or empty, and
/// good() tells: a record is decoded whole and then checked once.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] std::uint64_t number();
  /// Points into the record.
  [[nodiscard]] std::string_view text();
  [[nodiscard]] bool good() const { return good_; }
  /// Whether there is another field: records of earlier versions have fewer.
  [[nodiscard]] bool more() const { return !rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace shoal
