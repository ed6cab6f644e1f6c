#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace shoal::sim {

/// A set of pieces of one blob.
class Bits {
 public:
  Bits() = default;
  Bits(std::size_t size, bool value) : words_((size + 63) / 64, value ? ~std::uint64_t{0} : 0) {
    if (value && size % 64 != 0) words_.back() >>= 64 - size % 64;
  }

  [[nodiscard]] bool test(std::uint32_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set(std::uint32_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void reset(std::uint32_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

  template <class Work>
  void for_each(const Work& work) const {
    for (std::size_t i = 0; i < words_.size(); ++i) visit(words_[i], i, work);
  }
  /// Those that are in `other`, too, which is of the same size.
  template <class Work>
  void for_each_in(const Bits& other, const Work& work) const {
    for (std::size_t i = 0; i < words_.size(); ++i) visit(words_[i] & other.words_[i], i, work);
  }

 private:
  template <class Work>
  static void visit(std::uint64_t word, std::size_t index, const Work& work) {
    for (; word != 0; word &= word - 1) {
      work(static_cast<std::uint32_t>(index * 64) +
           static_cast<std::uint32_t>(std::countr_zero(word)));
    }
  }

  std::vector<std::uint64_t> words_;
};

}  // namespace shoal::sim
