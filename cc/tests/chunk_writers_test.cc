#include "cc/chunk_writers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace tfa {
namespace {

TEST(ChunkWritersTest, EachNumberIsTakenOnceAndInOrder) {
  ChunkWriters writers(2);
  EXPECT_EQ(writers.LastNumber("a"), -1);
  EXPECT_FALSE(*writers.IsTaken({"a", 0}));
  EXPECT_EQ(writers.IsTaken({"a", 1}).status().message(),
            "chunk 1 of writer 'a' is not the next one; send 0 first");
  EXPECT_FALSE(writers.IsTaken({"a", -1}).ok());
  writers.Take({"a", 0});
  EXPECT_TRUE(*writers.IsTaken({"a", 0}));
  EXPECT_FALSE(*writers.IsTaken({"a", 1}));
  EXPECT_FALSE(*writers.IsTaken({"b", 0}));
}

TEST(ChunkWritersTest, AStreamIsOneWritersUntilItCloses) {
  ChunkWriters writers(3);
  EXPECT_EQ(writers.Stream("a"), -1);
  writers.Open("a", 2);
  EXPECT_EQ(writers.Stream("a"), 2);
  EXPECT_TRUE(writers.Owns(2));
  EXPECT_FALSE(writers.Owns(0));
  EXPECT_EQ(writers.num_owned(), 1);
  writers.Take({"a", 0});
  writers.Close("a");
  EXPECT_FALSE(writers.Owns(2));
  EXPECT_EQ(writers.num_owned(), 0);
  EXPECT_EQ(writers.LastNumber("a"), 0);
  writers.Open("a", 0);
  writers.Open("b", 1);
  writers.CloseAll();
  EXPECT_EQ(writers.num_owned(), 0);
  EXPECT_EQ(writers.Stream("b"), -1);
}

TEST(ChunkWritersTest, WhatIsSavedIsLoaded) {
  ChunkWriters writers(3);
  writers.Reserve("only reserved");
  for (int32_t i = 0; i < 3; ++i) {
    const std::string name(static_cast<size_t>(i) * 40, 'x');
    writers.Open(name, 2 - i);
    writers.Take({name, i});
  }
  writers.Close("");
  Writer saved;
  writers.Save(&saved);
  ChunkWriters loaded(3);
  Reader in(saved.data(), saved.size());
  ASSERT_TRUE(ChunkWriters::Load(&in, 3, &loaded));
  EXPECT_TRUE(in.done());
  EXPECT_EQ(loaded.num_owned(), 2);
  EXPECT_EQ(loaded.Stream(std::string(40, 'x')), 1);
  const std::vector<Chunk> list = loaded.List();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[2].number, 2);
  // A stream that there is not, and one that two writers have.
  Reader again(saved.data(), saved.size());
  EXPECT_FALSE(ChunkWriters::Load(&again, 1, &loaded));
  Writer twice;
  twice.Put(int64_t{2});
  for (const char* name : {"a", "b"}) {
    twice.PutString(name);
    twice.Put(int32_t{1});
    twice.Put(int64_t{4});
  }
  Reader of_twice(twice.data(), twice.size());
  EXPECT_FALSE(ChunkWriters::Load(&of_twice, 3, &loaded));
  Reader cut(saved.data(), saved.size() - 1);
  EXPECT_FALSE(ChunkWriters::Load(&cut, 3, &loaded));
}

}  // namespace
}  // namespace tfa
