// Values that take the place of stored ones.
#ifndef TFAGENTS_CORE_CC_ROW_VALUES_H_
#define TFAGENTS_CORE_CC_ROW_VALUES_H_

#include <cstdint>
#include <vector>

#include "cc/column.h"
#include "cc/status.h"

namespace tfa {

// Of N items, new values of some columns in rows start..stop-1; a negative start, of a
// single row, counts from the item's end. Borrows the data.
struct RowValues {
  struct ColumnValues {
    int64_t column = 0;
    const void* data = nullptr;  // [N, stop - start, *shape]
  };

  int64_t num_rows() const { return stop - start; }
  // kInvalidArgument or kOutOfRange unless there are such columns and rows, and the
  // columns can be overwritten.
  Status Validate(const std::vector<Column>& all_columns) const;

  int64_t start = 0;
  int64_t stop = 1;
  std::vector<ColumnValues> columns;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_ROW_VALUES_H_
