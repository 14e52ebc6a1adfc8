#include "authority/sqlite/sqlite_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>

#include "authority/limits.hpp"
#include "base/fd.hpp"

namespace shamon {
namespace {

constexpr int kSchemaVersion = 1;
constexpr char const* kSchema = R"sql(
CREATE TABLE changes(revision INTEGER PRIMARY KEY, kind INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE hosts(name TEXT PRIMARY KEY, ek_fingerprint TEXT NOT NULL UNIQUE,
                   content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE vms(name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE reference_values(number INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE policy(number INTEGER PRIMARY KEY CHECK (number = 1), content BLOB NOT NULL);
PRAGMA user_version = 1;
)sql";

struct CloseDatabase {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

tl::unexpected<Error> fail_sqlite(sqlite3* db, std::string const& doing) {
  int const code = sqlite3_errcode(db);
  Errc const as = code == SQLITE_CONSTRAINT || code == SQLITE_BUSY ? Errc::conflict : Errc::system;
  return fail(as, doing + ": " + sqlite3_errmsg(db));
}

Status execute(sqlite3* db, char const* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return fail_sqlite(db, "store");
}

Result<Prepared> prepare(sqlite3* db, char const* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK) {
    return fail_sqlite(db, "store");
  }
  return Prepared(statement);
}

void bind_value(Prepared const& statement, int index, std::uint64_t value) {
  sqlite3_bind_int64(statement.get(), index, static_cast<sqlite3_int64>(value));
}
void bind_value(Prepared const& statement, int index, std::string const& text) {
  sqlite3_bind_text64(statement.get(), index, text.data(), text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
}
void bind_value(Prepared const& statement, int index, Bytes const& bytes) {
  // SQLite takes a null pointer for NULL; an empty blob is something else.
  sqlite3_bind_blob64(statement.get(), index,
                      bytes.empty() ? "" : static_cast<void const*>(bytes.data()), bytes.size(),
                      SQLITE_TRANSIENT);
}

template <class... Values>
Status run(sqlite3* db, char const* sql, Values const&... values) {
  auto statement = prepare(db, sql);
  if (!statement) return pass(statement);
  int index = 0;
  (bind_value(*statement, ++index, values), ...);
  if (sqlite3_step(statement->get()) != SQLITE_DONE) return fail_sqlite(db, "store");
  return {};
}

/// Decodes the blob in the statement's first column.
template <class Message>
Result<Message> column(Prepared const& statement) {
  auto const* const data =
      static_cast<std::uint8_t const*>(sqlite3_column_blob(statement.get(), 0));
  auto const size = static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), 0));
  auto message = decode_cbor<Message>(ByteView(data, size));
  if (!message) return fail(Errc::unsupported, "store content: " + message.error().describe());
  return message;
}

template <class Message>
Result<std::vector<Message>> read_all(sqlite3* db, char const* sql, std::uint64_t after = 0,
                                      std::size_t count_max = 0) {
  auto statement = prepare(db, sql);
  if (!statement) return pass(statement);
  if (count_max != 0) {
    bind_value(*statement, 1, after);
    bind_value(*statement, 2, static_cast<std::uint64_t>(count_max));
  }
  std::vector<Message> out;
  for (;;) {
    int const step = sqlite3_step(statement->get());
    if (step == SQLITE_DONE) return out;
    if (step != SQLITE_ROW) return fail_sqlite(db, "store");
    auto message = column<Message>(*statement);
    if (!message) return pass(message);
    out.push_back(std::move(*message));
  }
}

Result<std::uint64_t> read_number(sqlite3* db, char const* sql) {
  auto statement = prepare(db, sql);
  if (!statement) return pass(statement);
  if (sqlite3_step(statement->get()) != SQLITE_ROW) return fail_sqlite(db, "store");
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement->get(), 0));
}

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(Database db) : db_(std::move(db)) {}

  Status append(StoreBatch const& batch) override {
    if (auto ok = execute(db_.get(), "BEGIN IMMEDIATE"); !ok) return ok;
    Status ok = write(batch);
    if (ok) ok = execute(db_.get(), "COMMIT");
    if (!ok) (void)execute(db_.get(), "ROLLBACK");
    return ok;
  }

  Result<StoreSnapshot> snapshot() override {
    StoreSnapshot out;
    auto const last = read_number(db_.get(), "SELECT COALESCE(MAX(revision), 0) FROM changes");
    if (!last) return pass(last);
    out.revision = Revision(*last);
    auto hosts = read_all<HostRecord>(db_.get(), "SELECT content FROM hosts ORDER BY name");
    if (!hosts) return pass(hosts);
    out.hosts = std::move(*hosts);
    auto vms = read_all<VmEntry>(db_.get(), "SELECT content FROM vms ORDER BY name");
    if (!vms) return pass(vms);
    out.vms = std::move(*vms);
    auto values = read_all<ReferenceValueMessage>(
        db_.get(), "SELECT content FROM reference_values ORDER BY number");
    if (!values) return pass(values);
    out.reference_values = std::move(*values);
    auto policy = read_all<PolicyMessage>(db_.get(), "SELECT content FROM policy");
    if (!policy) return pass(policy);
    if (!policy->empty()) out.policy = std::move(policy->front());
    return out;
  }

  Result<std::vector<StatusChange>> changes_after(Revision after, std::size_t count_max) override {
    return read_all<StatusChange>(
        db_.get(), "SELECT content FROM changes WHERE revision > ? ORDER BY revision LIMIT ?",
        after.value(), count_max);
  }

 private:
  Status write(StoreBatch const& batch) {
    sqlite3* const db = db_.get();
    auto last = read_number(db, "SELECT COALESCE(MAX(revision), 0) FROM changes");
    if (!last) return pass(last);
    for (auto const& change : batch.changes) {
      if (change.revision.value() != ++*last) {
        return fail(Errc::conflict, "the revision does not continue the store's");
      }
      auto ok = run(db, "INSERT INTO changes VALUES(?, ?, ?)", change.revision.value(),
                    static_cast<std::uint64_t>(change.kind), encode_cbor(change));
      if (!ok) return ok;
    }
    // Plain upserts: "OR REPLACE" would delete another machine that has the same EK.
    for (auto const& host : batch.hosts) {
      auto ok = run(db,
                    "INSERT INTO hosts VALUES(?, ?, ?) ON CONFLICT(name) DO UPDATE SET "
                    "ek_fingerprint = excluded.ek_fingerprint, content = excluded.content",
                    host.host.value(), host.ek_fingerprint, encode_cbor(host));
      if (!ok) return ok;
    }
    for (auto const& vm : batch.vms) {
      auto ok = run(db,
                    "INSERT INTO vms VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET "
                    "content = excluded.content",
                    vm.vm.value(), encode_cbor(vm));
      if (!ok) return ok;
    }
    if (batch.reference_values) {
      if (auto ok = execute(db, "DELETE FROM reference_values"); !ok) return ok;
      for (auto const& value : *batch.reference_values) {
        auto ok = run(db, "INSERT INTO reference_values(content) VALUES(?)", encode_cbor(value));
        if (!ok) return ok;
      }
    }
    if (!batch.policy) return {};
    return run(db, "INSERT OR REPLACE INTO policy VALUES(1, ?)", encode_cbor(*batch.policy));
  }

  Database db_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(std::string const& path) {
  // SQLite would make the file with the process's umask.
  UniqueFd made(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!made) return fail_errno("open " + path);
  sqlite3* opened = nullptr;
  int const code = sqlite3_open_v2(path.c_str(), &opened,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
  Database db(opened);
  if (code != SQLITE_OK) return fail_sqlite(opened, "open " + path);
  sqlite3_busy_timeout(opened, 2000);
  for (char const* const pragma : {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
                                   "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"}) {
    if (auto ok = execute(opened, pragma); !ok) return pass(ok, "open " + path);
  }
  auto const version = read_number(opened, "PRAGMA user_version");
  if (!version) return pass(version, path);
  if (*version == 0) {
    if (auto ok = execute(opened, "BEGIN EXCLUSIVE"); !ok) return pass(ok, path);
    if (auto ok = execute(opened, kSchema); !ok) return pass(ok, path);
    if (auto ok = execute(opened, "COMMIT"); !ok) return pass(ok, path);
  } else if (*version != kSchemaVersion) {
    return fail(Errc::unsupported, path + ": schema version " + std::to_string(*version));
  }
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(db)));
}

}  // namespace shamon
