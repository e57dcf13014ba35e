// What is known of the programs that commands name: which of them delete, send, install, and how
// that is seen in their options.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <vector>

namespace selfagent {

using Words = std::vector<std::string>;

namespace known {

using Names = std::set<std::string, std::less<>>;

/// Keywords, and programs that run the rest of the line.
extern const Names prefixes;
extern const Names shells;
/// Only read what they are given.
extern const Names readers;
/// Change what they are given.
extern const Names writers;
extern const Names senders;
/// Their questions reach other machines.
extern const Names lookups;
/// Take the rights of another user.
extern const Names elevators;
/// End programs.
extern const Names enders;
/// Stop the machine.
extern const Names stoppers;
extern const Names disks;
/// Work on accounts and keys.
extern const Names accounts;
/// Make something run later.
extern const Names later;
extern const Names desktop_drivers;
extern const Names browsers;

}  // namespace known

/// True if one of `words` is among `args`.
bool has_word(const Words& args, std::initializer_list<const char*> words);
/// The one host that a command talks to; "" where it may be another one, as what is approved for a
/// host must not cover that.
std::string only_host(const Words& args);
bool curl_sends(const Words& args);
bool wget_sends(const Words& args);
/// True if `kill` is for the shell's own jobs alone.
bool only_own_jobs(const std::string& name, const Words& args);
/// True if it installs or runs fetched code.
bool installs(const std::string& name, const Words& args);
/// True if this `sed` writes its files.
bool edits_in_place(const Words& args);
/// The language whose programs `name` runs, "bash" for every shell; "" for another program.
std::string language_of(const std::string& name);

}  // namespace selfagent
