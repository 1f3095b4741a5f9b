#pragma once
#include <sqlite3.h>

/// `SQLITE_TRANSIENT` is a cast, which Swift does not import. A null pointer would bind NULL, but Swift gives one for the
/// empty array, so it means empty here.
static inline int hb_bind_text(sqlite3_stmt *statement, int index, const char *bytes, int count) {
    return sqlite3_bind_text(statement, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}
static inline int hb_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int count) {
    return sqlite3_bind_blob(statement, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}
