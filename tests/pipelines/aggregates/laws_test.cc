// The laws of every aggregate in the list: merging is associative, and in any order where
// it is said to be; merged parts are the whole; a saved state is the state. And accuracy:
// sketches within their error, moments on badly conditioned data.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/codecs/json.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

constexpr std::uint32_t kSeed = 20'261'124;

struct Sample {
  Value values[2];
  std::int64_t time = 0;
};

// A state of its own.
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
    ASSERT_EQ(aggregate_->Refuses(sample.values), nullptr);
    aggregate_->Add(state_.data(), sample.values, TimeFromMicroseconds(sample.time), *region_);
  }
  void Merge(const Running& other) {
    aggregate_->Merge(state_.data(), *region_, other.state_.data(), *other.region_);
  }
  void LoadFrom(const Running& other) {
    ByteWriter writer;
    aggregate_->Save(other.state_.data(), *other.region_, writer);
    ByteReader reader(writer.bytes());
    aggregate_->Load(state_.data(), *region_, reader);
    EXPECT_TRUE(reader.ok() && reader.AtEnd());
  }
  Value Result() const {
    return aggregate_->Result(state_.data(), *region_,
                              {TimeFromMicroseconds(0), TimeFromMicroseconds(1'000'000)}, arena_);
  }
  std::string Text() const {
    std::string text;
    AppendJson(Result(), text);
    return text;
  }

 private:
  const Aggregate* aggregate_;
  StateRegion* region_;
  std::vector<std::uint64_t> state_;  // aligned; longer than needed
  mutable Arena arena_{1 << 18};
};

// Numbers within 1e-12 of their size, everything else equal.
bool Near(const Value& a, const Value& b) {
  if (a.type() == Type::kDouble && b.type() == Type::kDouble) {
    const double size = std::max({1.0, std::fabs(a.AsDouble()), std::fabs(b.AsDouble())});
    return std::fabs(a.AsDouble() - b.AsDouble()) <= 1e-12 * size;
  }
  return Equal(a, b) || (a.IsNull() && b.IsNull());
}

std::vector<AggregateSpec> Specs() {
  Registry registry;
  RegisterAll(registry);
  std::vector<AggregateSpec> specs;
  for (const std::string_view name : registry.AggregateNames()) {
    specs.push_back(*registry.FindAggregate(name));
  }
  return specs;
}

std::vector<double> ParametersOf(const AggregateSpec& spec) {
  if (spec.name == "quantile") return {0.9};
  if (spec.name == "ewma") return {0.2};
  if (spec.name == "histogram") return {-50, 0, 50};
  return spec.parameters_min == 0 ? std::vector<double>() : std::vector<double>{3};
}

// In the order of time; few different values, so that what counts them is exact.
std::vector<Sample> Samples(const AggregateSpec& spec, std::mt19937& random, std::size_t count) {
  std::vector<Sample> samples(count);
  std::int64_t time = 0;
  for (Sample& sample : samples) {
    time += 1 + static_cast<std::int64_t>(random() % 2'000);
    sample.time = time;
    for (Value& value : sample.values) {
      const auto pick = static_cast<std::int64_t>(random() % 31) - 15;
      value = spec.takes == Type::kBool ? Value::Bool(pick > 0)
              : pick % 2 == 0           ? Value::Int(pick * 7)
                                        : Value::Double(static_cast<double>(pick) * 3.25);
    }
  }
  return samples;
}

class Laws : public testing::TestWithParam<AggregateSpec> {
 protected:
  void SetUp() override {
    std::string problem;
    AggregateCall call;
    call.values = std::max(1, GetParam().values_max);
    call.parameters = ParametersOf(GetParam());
    aggregate_ = GetParam().make(call, problem);
    ASSERT_NE(aggregate_, nullptr) << problem;
  }
  void AddAll(Running& running, const std::vector<Sample>& samples, std::size_t from,
              std::size_t to) {
    for (std::size_t i = from; i < to; ++i) running.Add(samples[i]);
  }

  std::unique_ptr<const Aggregate> aggregate_;
  StateRegion region_ = StateRegion::InMemory(4 << 20);
  std::mt19937 random_{kSeed};
};

TEST_P(Laws, MergedPartsAreTheWhole) {
  for (int round = 0; round < 40; ++round) {
    const std::vector<Sample> samples = Samples(GetParam(), random_, random_() % 60);
    Running whole(*aggregate_, region_);
    AddAll(whole, samples, 0, samples.size());
    Running merged(*aggregate_, region_);
    for (std::size_t from = 0; from < samples.size();) {
      const std::size_t to = std::min(samples.size(), from + 1 + random_() % 20);
      Running part(*aggregate_, region_);
      AddAll(part, samples, from, to);
      merged.Merge(part);
      from = to;
    }
    EXPECT_TRUE(Near(merged.Result(), whole.Result()))
        << merged.Text() << " and " << whole.Text() << ", seed " << kSeed;
  }
}

TEST_P(Laws, MergingIsAssociative) {
  for (int round = 0; round < 40; ++round) {
    const std::vector<Sample> samples = Samples(GetParam(), random_, 30);
    Running left(*aggregate_, region_);  // (a b) c
    Running right(*aggregate_, region_);
    Running a(*aggregate_, region_), b(*aggregate_, region_), c(*aggregate_, region_);
    AddAll(a, samples, 0, 10);
    AddAll(b, samples, 10, 20);
    AddAll(c, samples, 20, 30);
    left.Merge(a);
    left.Merge(b);
    left.Merge(c);
    b.Merge(c);  // a (b c)
    right.Merge(a);
    right.Merge(b);
    EXPECT_TRUE(Near(left.Result(), right.Result())) << left.Text() << " and " << right.Text();
  }
}

TEST_P(Laws, TheOrderOfMergingDoesNotMatterWhereItIsSaidSo) {
  if (GetParam().name == "collect") return;  // one behind the other, as they come
  for (int round = 0; round < 40; ++round) {
    const std::vector<Sample> samples = Samples(GetParam(), random_, 30);
    Running a(*aggregate_, region_), b(*aggregate_, region_);
    AddAll(a, samples, 0, 15);
    AddAll(b, samples, 15, 30);
    Running forth(*aggregate_, region_), back(*aggregate_, region_);
    forth.Merge(a);
    forth.Merge(b);
    back.Merge(b);
    back.Merge(a);
    // Ordered ones sort parts by their times.
    EXPECT_TRUE(Near(forth.Result(), back.Result())) << forth.Text() << " and " << back.Text();
  }
}

// Rows that wait in a file of a batch run do without their time then.
TEST_P(Laws, TimesMatterOnlyWhereItIsSaidSo) {
  if (GetParam().algebra == Algebra::kOrdered) return;
  const std::vector<Sample> samples = Samples(GetParam(), random_, 200);
  for (int values = std::max(1, GetParam().values_min);
       values <= std::max(1, GetParam().values_max); ++values) {
    std::string problem;
    const auto aggregate = GetParam().make({values, ParametersOf(GetParam())}, problem);
    ASSERT_NE(aggregate, nullptr) << problem;
    Running timely(*aggregate, region_);
    Running timeless(*aggregate, region_);
    for (Sample sample : samples) {
      timely.Add(sample);
      sample.time = 0;
      timeless.Add(sample);
    }
    EXPECT_EQ(timely.Text() == timeless.Text(), !aggregate->UsesTime()) << values << " values";
  }
}

TEST_P(Laws, ASavedStateIsTheState) {
  const std::vector<Sample> samples = Samples(GetParam(), random_, 80);
  for (const std::size_t count : {0U, 1U, 5U, 40U}) {
    Running before(*aggregate_, region_);
    AddAll(before, samples, 0, count);
    Running loaded(*aggregate_, region_);
    loaded.LoadFrom(before);
    EXPECT_EQ(loaded.Text(), before.Text());
    AddAll(before, samples, count, 80);
    AddAll(loaded, samples, count, 80);
    EXPECT_EQ(loaded.Text(), before.Text());
  }
}

TEST_P(Laws, FreedMemoryIsUsedAgain) {
  const std::vector<Sample> samples = Samples(GetParam(), random_, 200);
  std::size_t used = 0;
  for (int round = 0; round < 20; ++round) {
    Running running(*aggregate_, region_);
    AddAll(running, samples, 0, 200);
    if (round == 3) used = region_.used();
  }
  EXPECT_EQ(region_.used(), used);
}

INSTANTIATE_TEST_SUITE_P(All, Laws, testing::ValuesIn(Specs()),
                         [](const auto& spec) { return std::string(spec.param.name); });

// Five distributions.
std::vector<std::vector<double>> Distributions(std::size_t count) {
  std::mt19937_64 random(kSeed);
  std::vector<std::vector<double>> all(5);
  for (std::size_t i = 0; i < count; ++i) {
    all[0].push_back(std::uniform_real_distribution(0.0, 100.0)(random));
    all[1].push_back(std::normal_distribution(20.0, 5.0)(random));
    all[2].push_back(std::exponential_distribution(0.1)(random));
    all[3].push_back(std::lognormal_distribution(0.0, 2.0)(random));
    all[4].push_back(random() % 2 == 0 ? std::normal_distribution(-1e3, 1.0)(random)
                                       : std::normal_distribution(1e3, 100.0)(random));
  }
  return all;
}

std::unique_ptr<const Aggregate> Make(AggregateSpec (*spec)(), std::vector<double> parameters = {},
                                      int values = 1) {
  std::string problem;
  return spec().make({values, std::move(parameters)}, problem);
}

// What sketches say of parts that were merged is within the same error.
TEST(Accuracy, MergedSketchesAreWithinTheirError) {
  for (const std::vector<double>& numbers : Distributions(60'000)) {
    StateRegion region = StateRegion::InMemory(4 << 20);
    const auto distinct = Make(aggregates::approx_distinct);
    const auto quantile = Make(aggregates::quantile, {0.9});
    Running all_distinct(*distinct, region);
    Running all_quantile(*quantile, region);
    for (std::size_t from = 0; from < numbers.size(); from += 5'000) {
      Running some_distinct(*distinct, region);
      Running some_quantile(*quantile, region);
      for (std::size_t i = from; i < from + 5'000; ++i) {
        some_distinct.Add({{Value::Double(numbers[i]), {}}, 0});
        some_quantile.Add({{Value::Double(numbers[i]), {}}, 0});
      }
      all_distinct.Merge(some_distinct);
      all_quantile.Merge(some_quantile);
    }
    const auto different =
        static_cast<double>(std::set<double>(numbers.begin(), numbers.end()).size());
    EXPECT_NEAR(static_cast<double>(all_distinct.Result().AsInt()), different, 0.02 * different);
    std::vector<double> sorted = numbers;
    std::sort(sorted.begin(), sorted.end());
    const double exact = sorted[54'000 - 1];
    EXPECT_NEAR(all_quantile.Result().AsDouble(), exact, 0.01 * std::fabs(exact));
  }
}

// Counts are too high by at most n / counters, and never too low; so also when merged.
TEST(Accuracy, MergedTopKIsWithinItsError) {
  std::mt19937_64 random(kSeed);
  StateRegion region = StateRegion::InMemory(1 << 20);
  const auto aggregate = Make(aggregates::top_k, {5});
  Running all(*aggregate, region);
  std::map<std::int64_t, std::int64_t> counts;
  constexpr int kValues = 40'000;
  for (int part = 0; part < 8; ++part) {
    Running some(*aggregate, region);
    for (int i = 0; i < kValues / 8; ++i) {
      const auto value = static_cast<std::int64_t>(std::exponential_distribution(0.05)(random));
      ++counts[value];
      some.Add({{Value::Int(value), {}}, 0});
    }
    all.Merge(some);
  }
  const Value result = all.Result();
  ASSERT_EQ(result.AsList().size(), 5u);
  for (const Value& item : result.AsList()) {
    const std::int64_t exact = counts[item.AsMap()[0].value.AsInt()];
    const std::int64_t found = item.AsMap()[1].value.AsInt();
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact + kValues / 64);
  }
}

TEST(Accuracy, QuantilesAreWithinOnePercent) {
  for (const std::vector<double>& numbers : Distributions(50'000)) {
    for (const double q : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999}) {
      StateRegion region = StateRegion::InMemory(1 << 20);
      const auto aggregate = Make(aggregates::quantile, {q});
      Running running(*aggregate, region);
      for (const double number : numbers) running.Add({{Value::Double(number), {}}, 0});
      std::vector<double> sorted = numbers;
      std::sort(sorted.begin(), sorted.end());
      const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
      const double exact = sorted[rank - 1];
      EXPECT_NEAR(running.Result().AsDouble(), exact, 0.01 * std::fabs(exact)) << q;
    }
  }
}

TEST(Accuracy, DistinctIsWithinTwoPercent) {
  for (const std::size_t wanted : {400U, 600U, 5'000U, 50'000U, 400'000U}) {
    for (const std::vector<double>& numbers : Distributions(wanted)) {
      StateRegion region = StateRegion::InMemory(1 << 20);
      const auto aggregate = Make(aggregates::approx_distinct);
      Running running(*aggregate, region);
      for (const double number : numbers) running.Add({{Value::Double(number), {}}, 0});
      for (const double number : numbers) running.Add({{Value::Double(number), {}}, 0});
      const auto exact =
          static_cast<double>(std::set<double>(numbers.begin(), numbers.end()).size());
      const auto found = static_cast<double>(running.Result().AsInt());
      EXPECT_NEAR(found, exact, wanted <= 500 ? 0 : 0.02 * exact);
    }
  }
}

// Draws with a mean of 0 and a deviation of 1 from five distributions.
using Draw = double (*)(std::mt19937_64&);
constexpr Draw kStandard[] = {
    [](std::mt19937_64& r) { return std::uniform_real_distribution(-1.0, 1.0)(r) * std::sqrt(3); },
    [](std::mt19937_64& r) { return std::normal_distribution(0.0, 1.0)(r); },
    [](std::mt19937_64& r) { return std::exponential_distribution(1.0)(r) - 1; },
    [](std::mt19937_64& r) { return r() % 2 == 0 ? 1.0 : -1.0; },
    [](std::mt19937_64& r) { return std::normal_distribution(r() % 2 == 0 ? -0.8 : 0.8, 0.6)(r); },
};

// The sums of the squares and of the products of the distances from the means.
struct Exact {
  long double xx = 0;
  long double yy = 0;
  long double xy = 0;
};
Exact ExactMoments(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<long double>(x.size());
  long double mean_x = 0;
  long double mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += (static_cast<long double>(x[i]) - 1e9L) / n;
    mean_y += (static_cast<long double>(y[i]) - 1e9L) / n;
  }
  Exact exact;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double dx = static_cast<long double>(x[i]) - 1e9L - mean_x;
    const long double dy = static_cast<long double>(y[i]) - 1e9L - mean_y;
    exact.xx += dx * dx;
    exact.yy += dy * dy;
    exact.xy += dx * dy;
  }
  return exact;
}

// All in one, and merged from parts as an exchange or a hopping window has them.
double Moments(AggregateSpec (*spec)(), int values, const std::vector<double>& x,
               const std::vector<double>& y, std::size_t part) {
  StateRegion region = StateRegion::InMemory(1 << 16);
  const auto aggregate = Make(spec, {}, values);
  Running whole(*aggregate, region);
  for (std::size_t from = 0; from < x.size(); from += part) {
    Running running(*aggregate, region);
    for (std::size_t i = from; i < std::min(from + part, x.size()); ++i) {
      running.Add({{Value::Double(x[i]), Value::Double(y[i])}, 0});
    }
    whole.Merge(running);
  }
  return whole.Result().AsDouble();
}

// A mean of 1e9 and a deviation of 1.
TEST(Accuracy, MomentsOfBadlyConditionedData) {
  std::mt19937_64 random(kSeed);
  for (std::size_t which = 0; which < std::size(kStandard); ++which) {
    std::vector<double> x(20'000);
    std::vector<double> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = 1e9 + kStandard[which](random);
      y[i] = 1e9 + 0.5 * (x[i] - 1e9) + std::sqrt(0.75) * kStandard[which](random);
    }
    const Exact exact = ExactMoments(x, y);
    const auto n = static_cast<long double>(x.size());
    const auto stddev = static_cast<double>(std::sqrt(exact.xx / (n - 1)));
    const auto correlation = static_cast<double>(exact.xy / std::sqrt(exact.xx * exact.yy));
    const auto covariance = static_cast<double>(exact.xy / (n - 1));
    const auto slope = static_cast<double>(exact.xy / exact.yy);  // of x over y
    const auto near = [&](double found, double wanted, const char* what, std::size_t part) {
      EXPECT_NEAR(found, wanted, 1e-9 * std::fabs(wanted))
          << what << " of distribution " << which << " in parts of " << part;
    };
    for (const std::size_t part : {x.size(), std::size_t{1'000}, std::size_t{7}}) {
      near(Moments(aggregates::stddev, 1, x, y, part), stddev, "stddev", part);
      near(Moments(aggregates::correlation, 2, x, y, part), correlation, "correlation", part);
      near(Moments(aggregates::covariance, 2, x, y, part), covariance, "covariance", part);
      near(Moments(aggregates::slope, 2, x, y, part), slope, "slope", part);
    }
  }
}

}  // namespace
}  // namespace runnel
