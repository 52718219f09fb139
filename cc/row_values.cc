#include "cc/row_values.h"

#include <string>

namespace tfa {

Status RowValues::Validate(const std::vector<Column>& all_columns) const {
  if (stop <= start || (start < 0 && stop != start + 1)) {
    return InvalidArgumentError("there are no rows [" + std::to_string(start) + ", " +
                                std::to_string(stop) +
                                ") to overwrite; give one row, or 0 <= start < stop");
  }
  for (const ColumnValues& each : columns) {
    if (each.column < 0 || each.column >= static_cast<int64_t>(all_columns.size())) {
      return OutOfRangeError("there is no column " + std::to_string(each.column));
    }
    const Column& column = all_columns[static_cast<size_t>(each.column)];
    if (column.compression == Compression::kNone) continue;
    return InvalidArgumentError("column '" + column.name +
                                "' is compressed, and so cannot be overwritten; "
                                "declare it without compression");
  }
  return OkStatus();
}

}  // namespace tfa
