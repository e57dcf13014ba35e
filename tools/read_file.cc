// Reads a text file by lines, or a picture.
#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "process/files.h"
#include "process/output.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr uint64_t most_bytes = 64 << 20;
constexpr uint64_t most_picture_bytes = 8 << 20;  // clients refuse larger messages
constexpr size_t most_characters = 60'000;        // about 15,000 tokens
constexpr size_t most_line_bytes = 2'000;

struct Args {
  std::string path;
  int offset = 1;
  int limit = 2000;
};

struct Magic {
  size_t at;
  std::string_view bytes;
  const char* type;
};

using namespace std::string_view_literals;
constexpr std::array magics{
    Magic{0,
          "\x7f"
          "ELF"sv,
          "an ELF program or library"},
    Magic{0, "%PDF-"sv, "a PDF document (shell: pdftotext FILE -)"},
    Magic{0, "PK\x03\x04"sv, "a ZIP archive or an office document (shell: unzip -l)"},
    Magic{0, "\x1f\x8b"sv, "gzip data (shell: zcat)"},
    Magic{0, "BZh"sv, "bzip2 data (shell: bzcat)"},
    Magic{0,
          "\xfd"
          "7zXZ"sv,
          "xz data (shell: xzcat)"},
    Magic{0, "\x28\xb5\x2f\xfd"sv, "zstd data (shell: zstdcat)"},
    Magic{257, "ustar"sv, "a tar archive (shell: tar -tf)"},
    Magic{0, "SQLite format 3"sv, "an SQLite database (shell: sqlite3)"},
    Magic{0, "GIF8"sv, "a GIF picture (convert it to PNG to look at it)"},
    Magic{8, "WEBP"sv, "a WebP picture (convert it to PNG to look at it)"},
    Magic{0, "BM"sv, "a BMP picture (convert it to PNG to look at it)"},
    Magic{4, "ftyp"sv, "an MP4 video or a HEIF picture"},
    Magic{0, "OggS"sv, "Ogg audio or video"},
    Magic{0, "RIFF"sv, "a RIFF file (WAV or AVI)"},
    Magic{0, "ID3"sv, "MP3 audio"},
    Magic{0, "\xff\xfe"sv, "UTF-16 text (shell: iconv -f UTF-16 -t UTF-8)"},
    Magic{0, "\xfe\xff"sv, "UTF-16 text (shell: iconv -f UTF-16 -t UTF-8)"},
};

std::string type_of(std::string_view bytes) {
  for (const auto& magic : magics) {
    if (bytes.size() > magic.at && bytes.substr(magic.at, magic.bytes.size()) == magic.bytes) {
      return magic.type;
    }
  }
  return "data of an unknown type (shell: file, xxd)";
}

int big_endian(std::string_view bytes, size_t at, size_t count) {
  unsigned value = 0;
  for (size_t i = 0; i < count; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return static_cast<int>(value & 0x7fffffff);
}

// Source: ITU T.81, B.1.1.3 and B.2.2: the size stands in the frame header, SOF0 to SOF15.
std::array<int, 2> jpeg_size(std::string_view bytes) {
  for (size_t at = 2; at + 9 < bytes.size();) {
    const int marker = big_endian(bytes, at, 2);
    const bool frame = marker >= 0xffc0 && marker <= 0xffcf && marker != 0xffc4 &&
                       marker != 0xffc8 && marker != 0xffcc;
    if (frame) return {big_endian(bytes, at + 7, 2), big_endian(bytes, at + 5, 2)};
    at += 2 + static_cast<size_t>(big_endian(bytes, at + 2, 2));
  }
  return {0, 0};
}

// A block with the picture if `content` is one that clients can show, otherwise null.
EncodedImagePtr picture_of(const std::string& content) {
  const std::string_view bytes = content;
  if (bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n"sv && bytes.size() > 24) {
    return std::make_shared<EncodedImage>(content, "image/png", big_endian(bytes, 16, 4),
                                          big_endian(bytes, 20, 4));
  }
  if (bytes.substr(0, 3) == "\xff\xd8\xff"sv) {
    const auto [width, height] = jpeg_size(bytes);
    return std::make_shared<EncodedImage>(content, "image/jpeg", width, height);
  }
  return nullptr;
}

std::string name_bytes(uint64_t count) { return std::to_string(count) + " bytes"; }

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

void append_line(std::string& out, std::string_view line) {
  if (line.size() <= most_line_bytes) {
    out += line;
    return;
  }
  const std::string_view shown = utf8_prefix(line, most_line_bytes);
  out += shown;
  out += "[... " + name_bytes(line.size() - shown.size()) + " more in this line]\n";
}

ToolResult read_text(const std::string& path, const std::string& content, const Args& args) {
  const bool ill_formed = !is_utf8(content);
  const std::string text = ill_formed ? to_utf8(content) : content;
  const auto lines = lines_of(text);
  const auto count = static_cast<int64_t>(lines.size());
  const std::string size =
      std::to_string(count) + (count == 1 ? " line, " : " lines, ") + name_bytes(content.size());
  if (count == 0) return ToolResult::text(path + " is empty (0 bytes)");
  if (args.offset > count) {
    throw Error(ErrorCode::invalid_argument, "offset=" + std::to_string(args.offset) +
                                                 " is behind the end of " + path + ", which has " +
                                                 size);
  }
  const int64_t first =
      args.offset >= 0 ? std::max(args.offset - 1, 0) : std::max<int64_t>(0, count + args.offset);
  int64_t next = first;
  std::string shown;
  while (next < std::min(count, first + args.limit) && shown.size() < most_characters) {
    append_line(shown, lines[static_cast<size_t>(next++)]);
  }
  std::string head =
      path + ": lines " + std::to_string(first + 1) + " to " + std::to_string(next) + " of " + size;
  if (next < count) head += "; go on with offset=" + std::to_string(next + 1);
  if (next == count && text.back() != '\n') head += "; no newline at the end";
  if (ill_formed) head += "; bytes that are not UTF-8 are shown as \xEF\xBF\xBD";
  return ToolResult::text(head).add(shown);
}

ToolResult run(const Args& args, ToolContext& context) {
  const Files files(context.sandbox);
  const auto path = files.resolve(args.path);
  const std::string content = files.read(path, most_bytes);
  if (const auto picture = picture_of(content)) {
    if (content.size() > most_picture_bytes) {
      throw Error(ErrorCode::resource_exhausted,
                  path.string() + " is a picture of " + name_bytes(content.size()) +
                      ", more than the " + name_bytes(most_picture_bytes) +
                      " that fit: make a smaller copy first");
    }
    return ToolResult::text(path.string() + ": " + picture->mime + ", " +
                            std::to_string(picture->width) + "x" + std::to_string(picture->height) +
                            " pixels, " + name_bytes(content.size()))
        .add(picture);
  }
  if (std::string_view(content).substr(0, 8192).find('\0') != std::string_view::npos) {
    throw Error(ErrorCode::invalid_argument, path.string() + " (" + name_bytes(content.size()) +
                                                 ") is not text but " + type_of(content));
  }
  return read_text(path.string(), content, args);
}

}  // namespace

Tool read_file() {
  return make_tool<Args>({
      .name = "read_file",
      .title = "Read a file",
      .description = "Reads a text file of the sandbox, or shows a PNG or JPEG picture. Returns a "
                     "line that says which lines of how "
                     "many follow, then the text exactly as it is in the file (no line numbers are "
                     "added, so it can be used as "
                     "`old` in edit_file). Without offset and limit it returns the first 2,000 "
                     "lines; at most 60,000 characters "
                     "come at a time, then the first line names the offset to go on with; lines "
                     "over 2,000 bytes are cut. Use a "
                     "negative offset for the end of a log. Other binary files are refused with "
                     "their type named; use the shell "
                     "tool for those, for files over 64 MiB and for /proc. To find a place in many "
                     "files use search_files.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("path", &Args::path,
                    "The file: absolute, ~/..., or relative to the workspace."),
              param("offset", &Args::offset,
                    "First line to return, counting from 1. -20 is the last 20 lines.")
                  .range(-1'000'000'000, 1'000'000'000)
                  .optional(),
              param("limit", &Args::limit, "How many lines to return at most.")
                  .range(1, 100'000)
                  .optional(),
          },
      .run = run,
  });
}

}  // namespace selfagent
