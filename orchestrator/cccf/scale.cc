#include "orchestrator/cccf/scale.h"

#include <map>
#include <set>

#include <fmt/format.h>

#include "orchestrator/cccf/read.h"
#include "orchestrator/cccf/service.h"
#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::string_view kMark = "-scale-";
/// Values in a scaled document at most: ten times what a document may have that is read.
constexpr std::size_t kScaledValuesMax = 10 * kCccfValuesMax;

/// The id as it is written, with its `/` if it has one.
std::string written_id(const CccfItem& item) {
  const auto* const id = item.fields.find_text("id");
  return id == nullptr ? std::string() : *id;
}

/// What two instances of one service share.
JsonValue shared_part(const JsonValue& fields) {
  JsonValue part = fields;
  for (const char* const own : {"id", "host", "scale"}) part.erase(own);
  return part;
}

class ScaleUp {
 public:
  explicit ScaleUp(CccfDiagnostics& problems) : problems_(problems) {}

  CccfDocument run(const CccfDocument& document) {
    for (const CccfItem& item : document.items) ids_.insert(item.id());
    CccfDocument scaled;
    scaled.single = document.single;
    for (const CccfItem& item : document.items) {
      const auto count = instances(item);
      if (count > 0) scaled.items.push_back(item);
      for (std::uint64_t i = 1; i < count; ++i) add_copy(scaled, item, i);
    }
    if (document.items.size() != scaled.items.size()) scaled.single = false;
    return scaled;
  }

 private:
  void problem(const CccfItem& item, std::string check, std::string message) {
    problems_.push_back({CccfDiagnostic::Severity::error, std::move(check), item.file,
                         item.pointer_to("scale"), std::move(message)});
  }

  std::uint64_t instances(const CccfItem& item) {
    const JsonValue* const scale = item.fields.find("scale");
    if (scale == nullptr) return 1;
    const auto whole = scale->whole();
    if (!whole || *whole > kScaleMax) {
      problem(
          item, "field",
          fmt::format("the scale {} is no whole number from 0 to {}", to_text(*scale), kScaleMax));
      return 1;
    }
    values_ += count_values(item.fields) * *whole;
    if (values_ > kScaledValuesMax) {
      problem(item, "size",
              fmt::format("the document would become too large: over {} values", kScaledValuesMax));
      return 1;
    }
    return *whole;
  }

  void add_copy(CccfDocument& scaled, const CccfItem& item, std::uint64_t number) {
    const std::string suffix = fmt::format("{}{}", kMark, number);
    if (!ids_.insert(item.id() + suffix).second) return;
    CccfItem copy = item;
    copy.fields.erase("scale");
    copy.fields.set("id", written_id(item) + suffix);
    scaled.items.push_back(std::move(copy));
  }

  CccfDiagnostics& problems_;
  std::set<std::string> ids_;
  std::size_t values_ = 0;
};

}  // namespace

CccfDocument scale_up(const CccfDocument& document, CccfDiagnostics& problems) {
  return ScaleUp(problems).run(document);
}

CccfDocument scale_down(const CccfDocument& document) {
  std::map<std::string, const CccfItem*> by_id;
  for (const CccfItem& item : document.items) by_id.emplace(item.id(), &item);
  std::map<std::string, std::uint64_t> copies;  // By the id of what they are copies of.
  CccfDocument result;
  result.single = document.single;
  for (const CccfItem& item : document.items) {
    const auto instance = parse_instance_id(item.id());
    const auto base = instance ? by_id.find(instance->base) : by_id.end();
    const bool is_copy = base != by_id.end() && base->second->fields.object() != nullptr &&
                         shared_part(base->second->fields) == shared_part(item.fields);
    if (is_copy)
      ++copies[instance->base];
    else
      result.items.push_back(item);
  }
  for (CccfItem& item : result.items) {
    const auto found = copies.find(item.id());
    if (found == copies.end() || item.fields.find("scale") != nullptr) continue;
    item.fields.set("scale", JsonValue::of(found->second + 1));
  }
  return result;
}

std::optional<InstanceId> parse_instance_id(std::string_view id) {
  const auto mark = id.rfind(kMark);
  if (mark == id.npos || mark == 0) return std::nullopt;
  const std::string_view digits = id.substr(mark + kMark.size());
  const auto number = parse_number(digits);
  if (!number || *number == 0 || digits.starts_with('0')) return std::nullopt;
  return InstanceId{std::string(id.substr(0, mark)), *number};
}

}  // namespace shoal
