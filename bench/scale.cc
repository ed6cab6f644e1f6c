#include "bench/scale.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/clock.h"
#include "bench/fatal.h"
#include "storage/store.h"

namespace shoal::bench {
namespace {

constexpr std::size_t kSamples = 2000;
constexpr std::size_t kPages = 200;
constexpr std::size_t kPageEntries = 100;
constexpr std::size_t kDeletes = 500;
constexpr std::size_t kStride = 7919;  // A prime: neighbours in time are far apart in the store.

template <class T>
T expect(Result<T> result) {
  if (!result) fatal(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

std::string blob_text(std::size_t number) { return fmt::format("blob number {}", number); }
Digest blob_digest(std::size_t number) { return Digest::of(blob_text(number)); }
Tag tag(std::size_t number) { return expect(Tag::parse(fmt::format("t{:07}", number))); }

/// Calls `work` with 0 to count - 1 from `threads` threads; how many a second it did.
double per_second(std::size_t count, unsigned threads,
                  const std::function<void(std::size_t)>& work) {
  const Stopwatch watch;
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (std::size_t number = next++; number < count; number = next++) work(number);
    });
  }
  for (auto& worker : workers) worker.join();
  return static_cast<double>(count) / watch.seconds();
}

/// Times `work` once for each of `count` numbers and reports the median and the 99th percentile.
void sample(Report& report, const std::string& name, std::size_t count,
            const std::function<void(std::size_t)>& work) {
  std::vector<double> microseconds;
  for (std::size_t number = 0; number < count; ++number) {
    const Stopwatch watch;
    work(number);
    microseconds.push_back(watch.seconds() * 1e6);
  }
  std::sort(microseconds.begin(), microseconds.end());
  report.numbers[name + "_p50_us"] = microseconds[count / 2];
  report.numbers[name + "_p99_us"] = microseconds[count * 99 / 100];
}

double peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

Report scale(const ScaleOptions& options) {
  Report report;
  std::filesystem::remove_all(options.directory);
  StoreConfig config;
  config.directory = options.directory;
  config.scrub_bytes_per_second = 0;
  auto store = expect(Store::open(config));
  const auto repository = expect(Repository::parse("scale/all"));

  report.numbers["puts_per_second"] =
      per_second(options.blobs, options.threads, [&](std::size_t number) {
        expect(store->uploads().put(repository, blob_digest(number), blob_text(number)));
      });
  const std::string manifest = "{}";
  const Digest digest = Digest::of(manifest);
  ManifestFacts facts;
  facts.media_type = "application/vnd.oci.image.manifest.v1+json";
  report.numbers["tags_per_second"] =
      per_second(options.tags, options.threads, [&](std::size_t number) {
        expect(store->manifests().put(repository, digest, manifest, facts, {tag(number)}));
      });

  sample(report, "blob", kSamples, [&](std::size_t number) {
    const auto wanted = blob_digest(number * kStride % options.blobs);
    expect(store->blobs().stat(repository, wanted, Wait::yes));
  });
  sample(report, "tag", kSamples, [&](std::size_t number) {
    expect(store->manifests().get(repository, tag(number * kStride % options.tags), Wait::yes));
  });
  sample(report, "page", kPages, [&](std::size_t number) {
    const auto after = tag(number * kStride % options.tags).text();
    expect(store->manifests().tags(repository, after, kPageEntries));
  });
  const std::size_t deletes = std::min(kDeletes, options.blobs / 2);
  sample(report, "delete", deletes, [&](std::size_t number) {
    expect(store->blobs().remove(repository, blob_digest(number)));
  });
  if (store->usage().blobs != options.blobs - deletes + 1) fatal("the store lost count");

  store.reset();
  const Stopwatch watch;
  store = expect(Store::open(config));
  report.numbers["open_ms"] = watch.seconds() * 1e3;
  report.numbers["peak_mb"] = peak_megabytes();
  store.reset();
  std::filesystem::remove_all(options.directory);
  return report;
}

}  // namespace shoal::bench
