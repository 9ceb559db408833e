#include "pipelines/aggregates/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace runnel {
namespace {

constexpr double kQuantiles[] = {0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1};

// The smallest value that a part `q` of the values does not exceed.
double ExactQuantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

using Draw = std::function<double(std::mt19937&)>;
struct Distribution {
  const char* name;
  Draw draw;
};

std::vector<Distribution> Distributions() {
  return {
      {"uniform", [](std::mt19937& r) { return std::uniform_real_distribution(0.0, 100.0)(r); }},
      {"normal", [](std::mt19937& r) { return std::normal_distribution(20.0, 5.0)(r); }},
      {"exponential", [](std::mt19937& r) { return std::exponential_distribution(0.1)(r); }},
      {"lognormal", [](std::mt19937& r) { return std::lognormal_distribution(0.0, 3.0)(r); }},
      {"mixed",
       [](std::mt19937& r) {
         const auto which = r() % 3;
         if (which == 0) return 0.0;
         return std::normal_distribution(which == 1 ? -40.0 : 1e6, 10.0)(r);
       }},
  };
}

std::vector<double> Values(const Draw& draw, std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  std::vector<double> values(count);
  for (double& value : values) value = draw(random);
  return values;
}

class SketchTest : public testing::Test {
 protected:
  void Add(SketchState& state, const std::vector<double>& values) {
    for (const double value : values) Sketch::Add(state, value, region_);
  }
  void ExpectClose(const SketchState& state, const std::vector<double>& values,
                   const std::string& what) {
    ASSERT_EQ(state.count, values.size()) << what;
    for (const double q : kQuantiles) {
      const double exact = ExactQuantile(values, q);
      const double allowed = values.size() <= Sketch::kExactMax
                                 ? 0.0
                                 : Sketch::kRelativeError * std::fabs(exact) * (1 + 1e-9);
      EXPECT_NEAR(Sketch::Quantile(state, q, region_), exact, allowed) << what << ", q " << q;
    }
  }

  // Of values so far apart that the smallest share a bucket.
  void ExpectLargestClose(const SketchState& state, const std::vector<double>& values) {
    for (const double q : {0.97, 0.99, 1.0}) {
      const double exact = ExactQuantile(values, q);
      EXPECT_NEAR(Sketch::Quantile(state, q, region_), exact,
                  exact * Sketch::kRelativeError * 1.001);
    }
  }

  StateRegion region_ = StateRegion::InMemory(4 << 20);
};

TEST_F(SketchTest, IsWithinTheErrorForAnyDistribution) {
  for (const Distribution& distribution : Distributions()) {
    for (const std::size_t count : {1U, 5U, 16U, 17U, 100U, 10'000U}) {
      for (std::uint32_t seed = 0; seed < 3; ++seed) {
        const std::vector<double> values = Values(distribution.draw, seed, count);
        SketchState state{};
        Add(state, values);
        ExpectClose(state, values,
                    std::string(distribution.name) + ", " + std::to_string(count) +
                        " values, seed " + std::to_string(seed));
        Sketch::Free(state, region_);
      }
    }
  }
}

TEST(SketchBuckets, TheirMiddlesAreWithinTheErrorOfAllInThem) {
  std::mt19937_64 random(11);
  std::vector<double> magnitudes = {1e-300,
                                    1,
                                    std::nextafter(2.0, 1.0),
                                    2,
                                    std::nextafter(1.0, 0.0),
                                    std::numeric_limits<double>::max()};
  while (magnitudes.size() < 200'000) {
    magnitudes.push_back(std::ldexp(std::uniform_real_distribution(1.0, 2.0)(random),
                                    static_cast<int>(random() % 2'020) - 996));
  }
  double before = 0;
  std::sort(magnitudes.begin(), magnitudes.end());
  for (const double magnitude : magnitudes) {
    const double middle = MiddleOf(BucketOf(magnitude));
    ASSERT_LE(std::fabs(middle / magnitude - 1), Sketch::kRelativeError * (1 + 1e-12)) << magnitude;
    ASSERT_GE(middle, before);
    before = middle;
  }
}

TEST_F(SketchTest, TheLargestNumbersHaveQuantiles) {
  const std::vector<double> values(50, std::numeric_limits<double>::max());
  SketchState state{};
  Add(state, values);
  ExpectClose(state, values, "largest");
}

TEST_F(SketchTest, MergesToWhatOneWouldBe) {
  for (const Distribution& distribution : Distributions()) {
    for (const std::size_t count : {10U, 30U, 1'000U}) {
      const std::vector<double> values = Values(distribution.draw, 7, count);
      std::mt19937 random(7);
      const std::size_t parts = 1 + random() % 5;
      SketchState whole{};
      Add(whole, values);
      SketchState merged{};
      for (std::size_t part = 0; part < parts; ++part) {
        SketchState piece{};
        for (std::size_t i = part; i < values.size(); i += parts) {
          Sketch::Add(piece, values[i], region_);
        }
        Sketch::Merge(merged, region_, piece, region_);
        Sketch::Free(piece, region_);
      }
      for (const double q : kQuantiles) {
        EXPECT_EQ(Sketch::Quantile(merged, q, region_), Sketch::Quantile(whole, q, region_))
            << distribution.name << ", " << count << " values in " << parts << ", q " << q;
      }
      EXPECT_EQ(merged.count, whole.count);
      Sketch::Free(whole, region_);
      Sketch::Free(merged, region_);
    }
  }
}

TEST_F(SketchTest, SavesAndLoads) {
  for (const Distribution& distribution : Distributions()) {
    for (const std::size_t count : {0U, 3U, 16U, 17U, 500U}) {
      SketchState state{};
      Add(state, Values(distribution.draw, 1, count));
      ByteWriter writer;
      Sketch::Save(state, region_, writer);
      SketchState loaded{};
      ByteReader reader(writer.bytes());
      Sketch::Load(loaded, region_, reader);
      EXPECT_TRUE(reader.ok());
      EXPECT_EQ(loaded.count, state.count);
      for (const double q : kQuantiles) {
        if (count == 0) break;
        EXPECT_EQ(Sketch::Quantile(loaded, q, region_), Sketch::Quantile(state, q, region_));
      }
      Sketch::Free(state, region_);
      Sketch::Free(loaded, region_);
    }
  }
}

TEST_F(SketchTest, CountersGoOnAboveTwoBytes) {
  SketchState state{};
  for (int i = 0; i < 200'000; ++i) Sketch::Add(state, i % 4 == 0 ? 50.0 : 10.0, region_);
  EXPECT_EQ(state.count, 200'000u);
  EXPECT_NEAR(Sketch::Quantile(state, 0.74, region_), 10.0, 0.1);
  EXPECT_NEAR(Sketch::Quantile(state, 0.76, region_), 50.0, 0.5);
}

// More magnitudes than there are buckets: the small ones collapse, the large ones stay.
TEST_F(SketchTest, CollapsesTheSmallestMagnitudes) {
  SketchState state{};
  std::vector<double> values;
  for (int exponent = -200; exponent <= 200; ++exponent) {
    for (int i = 0; i < 10; ++i) values.push_back(std::pow(10.0, exponent));
  }
  Add(state, values);
  ExpectLargestClose(state, values);
  EXPECT_LE(region_.used(), std::size_t{1} << 20);
}

TEST_F(SketchTest, MergedCountersGoOnAboveTwoBytes) {
  SketchState merged{};
  for (int part = 0; part < 3; ++part) {
    SketchState piece{};
    for (int i = 0; i < 40'000; ++i) Sketch::Add(piece, i % 4 == 0 ? 50.0 : 10.0, region_);
    Sketch::Merge(merged, region_, piece, region_);
    Sketch::Free(piece, region_);
  }
  EXPECT_EQ(merged.count, 120'000u);
  EXPECT_NEAR(Sketch::Quantile(merged, 0.74, region_), 10.0, 0.1);
  EXPECT_NEAR(Sketch::Quantile(merged, 0.76, region_), 50.0, 0.5);
}

TEST_F(SketchTest, MergingCollapsesTheSmallestMagnitudesToo) {
  SketchState merged{};
  std::vector<double> values;
  for (const bool large : {true, false}) {
    SketchState piece{};
    for (int exponent = large ? 1 : -200; exponent <= (large ? 200 : 0); ++exponent) {
      for (int i = 0; i < 10; ++i) {
        values.push_back(std::pow(10.0, exponent));
        Sketch::Add(piece, values.back(), region_);
      }
    }
    Sketch::Merge(merged, region_, piece, region_);
    Sketch::Free(piece, region_);
  }
  EXPECT_EQ(merged.count, values.size());
  ExpectLargestClose(merged, values);
}

TEST_F(SketchTest, AFullRegionLosesNoCount) {
  region_ = StateRegion::InMemory(2048);
  SketchState state{};
  std::mt19937 random(5);
  for (int i = 0; i < 5'000; ++i) {
    Sketch::Add(state, std::lognormal_distribution(0.0, 5.0)(random), region_);
  }
  EXPECT_EQ(state.count, 5'000u);
  EXPECT_TRUE(std::isfinite(Sketch::Quantile(state, 0.5, region_)));
}

TEST_F(SketchTest, GivesItsMemoryBack) {
  std::size_t used = 0;
  for (int round = 0; round < 1'000; ++round) {
    SketchState state{};
    Add(state, Values(Distributions()[3].draw, static_cast<std::uint32_t>(round % 10), 60));
    Sketch::Free(state, region_);
    if (round == 10) used = region_.used();
  }
  EXPECT_EQ(region_.used(), used);
}

}  // namespace
}  // namespace runnel
