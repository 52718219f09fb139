#include "cc/pattern.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace tfa {
namespace {

using Span = std::pair<int64_t, int64_t>;  // first and last row of an item

// The items of an episode of `rows` rows.
std::vector<Span> Spans(const Pattern& pattern, int64_t rows) {
  std::vector<Span> spans;
  for (int64_t step = 0; step < rows; ++step) {
    const bool last = step == rows - 1;
    std::vector<PatternItem> items;
    pattern.Items(step, last, &items);
    EXPECT_EQ(pattern.Count(step, last), static_cast<int64_t>(items.size()));
    for (const PatternItem& item : items) {
      EXPECT_LE(item.length, pattern.max_rows());
      spans.emplace_back(step + 1 - item.length, step);
    }
    EXPECT_LE(static_cast<int64_t>(items.size()), pattern.max_items());
  }
  return spans;
}

Pattern NStep(int64_t n) { return {Pattern::Kind::kNStep, n, 1, true}; }

Pattern NStepWithoutShortStarts(int64_t n) {
  return {Pattern::Kind::kNStep, n, 1, true, false};
}

Pattern Sequence(int64_t length, int64_t period, bool pad) {
  return {Pattern::Kind::kSequence, length, period, pad};
}

TEST(PatternTest, NStepItemsAreShortAtBothEndsOfAnEpisode) {
  const std::vector<Span> expected = {{0, 1}, {0, 2}, {0, 3}, {1, 4}, {2, 4}, {3, 4}};
  EXPECT_EQ(Spans(NStep(3), 5), expected);
}

TEST(PatternTest, NStepLongerThanTheEpisodeStillStartsAtEveryRow) {
  const std::vector<Span> expected = {{0, 1}, {0, 2}, {1, 2}};
  EXPECT_EQ(Spans(NStep(10), 3), expected);
}

TEST(PatternTest, WithoutShortStartsEveryStepIsTheFirstOfOneItem) {
  const std::vector<Span> expected = {{0, 3}, {1, 4}, {2, 4}, {3, 4}};
  EXPECT_EQ(Spans(NStepWithoutShortStarts(3), 5), expected);
  for (int64_t n = 1; n <= 6; ++n) {
    for (int64_t rows = 1; rows <= 12; ++rows) {
      std::vector<Span> spans;
      for (int64_t s = 0; s + 1 < rows; ++s) {
        spans.emplace_back(s, std::min(s + n, rows - 1));
      }
      EXPECT_EQ(Spans(NStepWithoutShortStarts(n), rows), spans) << n << " " << rows;
    }
  }
}

// Most items of `rows` rows, the next of which is number `step` of an episode, or
// begins one where that is 0; any may end its episode, or abandon it and begin another.
int64_t MostOf(const Pattern& pattern, int64_t rows, int64_t step) {
  if (rows == 0) return 0;
  const auto goes_on = [&](int64_t at) {
    return std::max(pattern.Count(at, true) + MostOf(pattern, rows - 1, 0),
                    pattern.Count(at, false) + MostOf(pattern, rows - 1, at + 1));
  };
  return std::max(goes_on(step), goes_on(0));
}

TEST(PatternTest, ARunMakesAsManyNStepItemsAsItsWorstEpisodesDo) {
  for (int64_t n = 1; n <= 5; ++n) {
    for (int64_t rows = 1; rows <= 8; ++rows) {
      for (const Pattern& pattern : {NStep(n), NStepWithoutShortStarts(n)}) {
        EXPECT_EQ(pattern.MostItemsOfRun(rows), MostOf(pattern, rows, n + 1))
            << n << " " << rows << " " << pattern.short_starts;
      }
    }
  }
}

TEST(PatternTest, OneStepMakesOneItemForEachTransition) {
  const std::vector<Span> expected = {{0, 1}, {1, 2}, {2, 3}};
  EXPECT_EQ(Spans(NStep(1), 4), expected);
}

TEST(PatternTest, AnEpisodeOfOneRowHasNoTransition) {
  EXPECT_TRUE(Spans(NStep(3), 1).empty());
}

TEST(PatternTest, SequencesStartAtMultiplesOfThePeriod) {
  const std::vector<Span> expected = {{0, 3}, {2, 5}, {4, 7}};
  EXPECT_EQ(Spans(Sequence(4, 2, true), 8), expected);
}

TEST(PatternTest, WhatRemainsOfAnEpisodeIsPaddedOrDropped) {
  const std::vector<Span> padded = {{0, 3}, {3, 5}};
  EXPECT_EQ(Spans(Sequence(4, 3, true), 6), padded);
  const std::vector<Span> dropped = {{0, 3}};
  EXPECT_EQ(Spans(Sequence(4, 3, false), 6), dropped);
}

TEST(PatternTest, AnEpisodeShorterThanTheSequenceIsOnePaddedItem) {
  const std::vector<Span> expected = {{0, 1}};
  EXPECT_EQ(Spans(Sequence(4, 2, true), 2), expected);
}

TEST(PatternTest, NothingIsPaddedBetweenWindowsThatDoNotTouch) {
  const std::vector<Span> expected = {{0, 1}};
  EXPECT_EQ(Spans(Sequence(2, 4, true), 3), expected);
}

TEST(PatternTest, AnEpisodeIsOneItemOnceItHasEnded) {
  const Pattern episode = {Pattern::Kind::kEpisode, 5, 1, true};
  const std::vector<Span> expected = {{0, 4}};
  EXPECT_EQ(Spans(episode, 5), expected);
  EXPECT_TRUE(episode.CheckStep(4).ok());
  EXPECT_EQ(episode.CheckStep(5).code(), StatusCode::kInvalidArgument);
}

TEST(PatternTest, UnrollsEndAtEveryPeriodOfAStreamsSteps) {
  const auto ends = [](int64_t length, int64_t period) {
    const Pattern pattern = {Pattern::Kind::kUnroll, length, period, true};
    std::vector<int64_t> steps;
    for (int64_t step = 1; step <= 12; ++step) {
      if (pattern.EndsUnroll(step)) steps.push_back(step);
      EXPECT_EQ(pattern.Count(step, true), 0);
    }
    return steps;
  };
  EXPECT_EQ(ends(4, 4), (std::vector<int64_t>{4, 8, 12}));
  EXPECT_EQ(ends(4, 3), (std::vector<int64_t>{4, 7, 10}));
  EXPECT_EQ(ends(2, 5), (std::vector<int64_t>{2, 7, 12}));
}

TEST(PatternTest, UnrollsOfMoreRowsThanAWindowCountsAreRefused) {
  Pattern pattern = {Pattern::Kind::kUnroll, int64_t{1} << 29, 1, true};
  EXPECT_TRUE(pattern.Validate().ok());
  EXPECT_EQ(pattern.max_rows(), int64_t{1} << 30);
  ++pattern.length;
  EXPECT_EQ(pattern.Validate().code(), StatusCode::kInvalidArgument);
  pattern = {Pattern::Kind::kUnroll, 4, 0, true};
  EXPECT_EQ(pattern.Validate().code(), StatusCode::kInvalidArgument);
}

TEST(PatternTest, LengthsAndPeriodsBelowOneAreRefused) {
  EXPECT_FALSE(NStep(0).Validate().ok());
  EXPECT_FALSE(Sequence(0, 1, true).Validate().ok());
  EXPECT_FALSE(Sequence(1, 0, true).Validate().ok());
  EXPECT_TRUE(Sequence(1, 1, true).Validate().ok());
}

}  // namespace
}  // namespace tfa
