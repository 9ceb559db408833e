// Every aggregate against its definition, and the laws that all of them keep.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

struct Sample {
  Value value;
  std::int64_t time = 0;
};
using Samples = std::vector<Sample>;

struct Subject {
  const char* name;
  AggregateSpec (*spec)();
  std::vector<double> parameters;
  // Of at least one value, as a double.
  std::function<double(const Samples&)> expected;
  double tolerance = 0;  // relative to the values
};

double Sum(const Samples& samples) {
  long double sum = 0;
  for (const Sample& sample : samples) sum += static_cast<long double>(sample.value.ToDouble());
  return static_cast<double>(sum);
}

double Stddev(const Samples& samples) {
  const long double mean =
      static_cast<long double>(Sum(samples)) / static_cast<long double>(samples.size());
  long double squares = 0;
  for (const Sample& sample : samples) {
    const long double off = static_cast<long double>(sample.value.ToDouble()) - mean;
    squares += off * off;
  }
  return static_cast<double>(std::sqrt(squares / static_cast<long double>(samples.size() - 1)));
}

const Sample& Extreme(const Samples& samples, bool largest) {
  const auto less = [](const Sample& a, const Sample& b) {
    return a.value.ToDouble() < b.value.ToDouble();
  };
  return largest ? *std::max_element(samples.begin(), samples.end(), less)
                 : *std::min_element(samples.begin(), samples.end(), less);
}

const Sample& ByTime(const Samples& samples, bool last) {
  const Sample* found = &samples[0];
  for (const Sample& sample : samples) {
    if (last ? sample.time >= found->time : sample.time < found->time) found = &sample;
  }
  return *found;
}

std::vector<Subject> Subjects() {
  return {
      {"count",
       aggregates::count,
       {},
       [](const Samples& s) { return static_cast<double>(s.size()); }},
      {"sum", aggregates::sum, {}, Sum, 1e-14},
      {"mean",
       aggregates::mean,
       {},
       [](const Samples& s) { return Sum(s) / static_cast<double>(s.size()); },
       1e-14},
      {"min",
       aggregates::min,
       {},
       [](const Samples& s) { return Extreme(s, false).value.ToDouble(); }},
      {"max",
       aggregates::max,
       {},
       [](const Samples& s) { return Extreme(s, true).value.ToDouble(); }},
      {"stddev", aggregates::stddev, {}, Stddev, 1e-9},
      {"first",
       aggregates::first,
       {},
       [](const Samples& s) { return ByTime(s, false).value.ToDouble(); }},
      {"last",
       aggregates::last,
       {},
       [](const Samples& s) { return ByTime(s, true).value.ToDouble(); }},
  };
}

// An aggregate with a state of its own.
class Running {
 public:
  Running(const Aggregate& aggregate, StateRegion& region)
      : aggregate_(&aggregate), region_(&region), state_(aggregate.size()) {
    aggregate_->Init(state_.data());
  }
  ~Running() { aggregate_->Free(state_.data(), *region_); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void Add(const Sample& sample) {
    ASSERT_EQ(aggregate_->Refuses(&sample.value), nullptr);
    aggregate_->Add(state_.data(), &sample.value, TimeFromMicroseconds(sample.time), *region_);
  }
  void Merge(const Running& other) {
    aggregate_->Merge(state_.data(), *region_, other.state_.data(), *other.region_);
  }
  std::string Saved() const {
    ByteWriter writer;
    aggregate_->Save(state_.data(), *region_, writer);
    return std::string(writer.bytes());
  }
  void Load(const std::string& saved) {
    ByteReader reader(saved);
    aggregate_->Load(state_.data(), *region_, reader);
    EXPECT_TRUE(reader.ok());
  }
  Value Result() const {
    return aggregate_->Result(state_.data(), *region_,
                              {TimeFromMicroseconds(0), TimeFromMicroseconds(1'000)}, arena_);
  }

 private:
  const Aggregate* aggregate_;
  StateRegion* region_;
  std::vector<std::uint64_t> state_;  // aligned; longer than needed
  mutable Arena arena_{1 << 16};
};

// Integers, doubles, both; small and huge.
Samples RandomSamples(std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  Samples samples;
  for (std::size_t i = 0; i < count; ++i) {
    const double scale = seed % 4 == 3 ? 1e12 : 100.0;
    const double number = std::normal_distribution(scale / 3, scale)(random);
    const bool integer = seed % 3 == 0 || (seed % 3 == 1 && random() % 2 == 0);
    const auto time = static_cast<std::int64_t>(random() % 1'000);
    samples.push_back(
        {integer ? Value::Int(static_cast<std::int64_t>(number)) : Value::Double(number), time});
  }
  return samples;
}

double Scale(const Samples& samples) {
  double scale = 1;
  for (const Sample& sample : samples) scale += std::fabs(sample.value.ToDouble());
  return scale;
}

class Aggregates : public testing::TestWithParam<Subject> {
 protected:
  Aggregates() {
    std::string problem;
    aggregate_ = GetParam().spec().make({1, GetParam().parameters}, problem);
  }
  std::unique_ptr<const Aggregate> aggregate_;
  StateRegion region_ = StateRegion::InMemory(1 << 20);
};

TEST_P(Aggregates, AgreeWithTheirDefinition) {
  for (std::uint32_t seed = 0; seed < 24; ++seed) {
    const Samples samples = RandomSamples(seed, 2 + seed * seed);
    Running running(*aggregate_, region_);
    for (const Sample& sample : samples) running.Add(sample);
    const double expected = GetParam().expected(samples);
    EXPECT_NEAR(running.Result().ToDouble(), expected, GetParam().tolerance * Scale(samples))
        << "seed " << seed;
  }
}

TEST_P(Aggregates, MergePartsInTheOrderOfTime) {
  for (std::uint32_t seed = 0; seed < 24; ++seed) {
    const Samples samples = RandomSamples(seed, 50);
    Running whole(*aggregate_, region_);
    Running merged(*aggregate_, region_);
    for (std::size_t begin = 0; begin < samples.size();) {
      const std::size_t end = std::min(samples.size(), begin + 1 + seed);
      Running part(*aggregate_, region_);
      for (; begin < end; ++begin) {
        part.Add(samples[begin]);
        whole.Add(samples[begin]);
      }
      merged.Merge(part);
    }
    EXPECT_NEAR(merged.Result().ToDouble(), whole.Result().ToDouble(),
                GetParam().tolerance * Scale(samples))
        << "seed " << seed;
  }
}

TEST_P(Aggregates, AnEmptyPartChangesNothing) {
  const Samples samples = RandomSamples(1, 20);
  Running running(*aggregate_, region_);
  for (const Sample& sample : samples) running.Add(sample);
  const std::string before = running.Saved();
  running.Merge(Running(*aggregate_, region_));
  EXPECT_EQ(running.Saved(), before);
  Running empty(*aggregate_, region_);
  empty.Merge(running);
  std::string merged;
  std::string added;
  AppendJson(empty.Result(), merged);
  AppendJson(running.Result(), added);
  EXPECT_EQ(merged, added);
}

TEST_P(Aggregates, SaveAndLoad) {
  for (const std::size_t count : {0U, 1U, 40U}) {
    Running running(*aggregate_, region_);
    for (const Sample& sample : RandomSamples(2, count)) running.Add(sample);
    Running loaded(*aggregate_, region_);
    loaded.Load(running.Saved());
    EXPECT_EQ(loaded.Saved(), running.Saved());
    const Sample more{Value::Double(1.5), 2'000};
    running.Add(more);
    loaded.Add(more);
    EXPECT_EQ(loaded.Saved(), running.Saved());
  }
}

TEST_P(Aggregates, TakeEveryFiniteDoubleAndRefuseText) {
  for (const double number : {0.0, -0.0, 5e-324, -1e308, 1e-300}) {
    const Value value = Value::Double(number);
    EXPECT_EQ(aggregate_->Refuses(&value), nullptr) << number;
  }
  if (GetParam().spec().takes == Type::kMissing) return;
  const Value text = Value::String("21.5");
  const Value truth = Value::Bool(true);
  EXPECT_STREQ(aggregate_->Refuses(&text), "not_a_number");
  EXPECT_STREQ(aggregate_->Refuses(&truth), "not_a_number");
}

TEST_P(Aggregates, OfNothingIsNullOrZero) {
  const Running running(*aggregate_, region_);
  std::string text;
  AppendJson(running.Result(), text);
  const std::string name = GetParam().name;
  EXPECT_EQ(text, name == "count" ? "0" : "null");  // as in SQL
}

INSTANTIATE_TEST_SUITE_P(All, Aggregates, testing::ValuesIn(Subjects()),
                         [](const auto& subject) { return subject.param.name; });

class Sums : public testing::Test {
 protected:
  static constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

  StateRegion region_ = StateRegion::InMemory(1 << 16);
  std::string problem_;
  std::unique_ptr<const Aggregate> sum_ = aggregates::sum().make({1, {}}, problem_);
};

// What makes a compensated sum worth its cost.
TEST_F(Sums, DoNotLoseSmallNumbersBesideLargeOnes) {
  Running running(*sum_, region_);
  running.Add({Value::Double(1e16), 0});
  for (int i = 0; i < 1'000; ++i) running.Add({Value::Double(1.0), 0});
  running.Add({Value::Double(-1e16), 0});
  EXPECT_EQ(running.Result().ToDouble(), 1'000.0);
}

TEST_F(Sums, OfIntsAndDoublesRoundOnceWhateverTheSign) {
  for (const int sign : {1, -1}) {
    const struct {
      double large, small, sum;
      std::int64_t whole;
    } cases[] = {{1.0, 1e-17, 1e-17, -1},
                 {1000000.1, 1e-11, 1000000.1 - 1000000 + 1e-11, -1'000'000},
                 {0x1p62, 0.5, 0.5, -(std::int64_t{1} << 62)}};
    for (const auto& test : cases) {
      Running running(*sum_, region_);
      running.Add({Value::Double(sign * test.large), 0});
      running.Add({Value::Double(sign * test.small), 0});
      running.Add({Value::Int(sign * test.whole), 0});
      EXPECT_EQ(running.Result().ToDouble(), sign * test.sum);
    }
  }
}

// Batch merges parts in another order than one pass adds in: the type must not depend on it.
TEST_F(Sums, OfIntsAreExactInAnyOrderAndAnyParts) {
  const std::vector<std::int64_t> values = {kMax, kMax, -5, kMin, kMin, kMax, 1, kMin, 12, 1, 1};
  for (std::size_t cut = 0; cut <= values.size(); ++cut) {
    Running left(*sum_, region_);
    Running right(*sum_, region_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      (i < cut ? left : right).Add({Value::Int(values[i]), 0});
    }
    left.Merge(right);
    ASSERT_EQ(left.Result().type(), Type::kInt) << cut;
    EXPECT_EQ(left.Result().AsInt(), 7) << cut;
  }
}

TEST_F(Sums, OfIntsThatDoNotFitAreDoubles) {
  for (const std::int64_t value : {kMax, kMin}) {
    Running running(*sum_, region_);
    running.Add({Value::Int(value), 0});
    EXPECT_EQ(running.Result().AsInt(), value);
    for (int i = 0; i < 3; ++i) running.Add({Value::Int(value), 0});
    ASSERT_EQ(running.Result().type(), Type::kDouble);
    EXPECT_EQ(running.Result().AsDouble(), 4 * static_cast<double>(value));
    running.Add({Value::Double(0.5), 0});
    for (int i = 0; i < 4; ++i) running.Add({Value::Int(value == kMax ? -kMax : kMax), 0});
    EXPECT_EQ(running.Result().ToDouble(), value == kMax ? 0.5 : -3.5);
  }
}

}  // namespace
}  // namespace runnel
