// How many files a verb may have open.
#pragma once

namespace holdfast::app {

/// Raises the soft limit of open files to the hard one: a deep tree holds one descriptor for each level, and many files
/// are read and written at once. Where that is refused, the limit stays.
void raise_open_files();

}  // namespace holdfast::app
