// Takes a picture of the screen or of a part of it.
#include <array>
#include <cstdio>
#include <memory>
#include <optional>

#include "image/jpeg.h"
#include "image/png.h"
#include "image/scale.h"
#include "tool/tool.h"

namespace selfagent {

namespace {
enum class ImageFormat { png, jpeg };
}

template <>
struct EnumWords<ImageFormat> {
  static constexpr std::array words{"png", "jpeg"};
};

namespace {

struct Args {
  std::optional<std::array<int, 4>> region;
  std::optional<int> max_side;
  ImageFormat format = ImageFormat::png;
  int quality = 80;
  bool cursor = true;
};

std::string headline(const Args& args, const Pixels& picture, Rect area) {
  const double scale = static_cast<double>(picture.width) / area.width;
  char number[16];
  std::snprintf(number, sizeof number, "%.4g", scale);
  std::string text = "screenshot " + std::to_string(picture.width) + "x" +
                     std::to_string(picture.height) + ", scale " +
                     (picture.width == area.width ? "1.0" : number);
  if (args.region) {
    text += ", of the region x=" + std::to_string(area.x) + ".." +
            std::to_string(area.x + area.width - 1) + " y=" + std::to_string(area.y) + ".." +
            std::to_string(area.y + area.height - 1);
  }
  if (args.region || picture.width != area.width) {
    const std::string divide = picture.width == area.width ? "" : std::string(" / ") + number;
    text += ": the picture's (px, py) is the screen's (" + std::to_string(area.x) + " + px" +
            divide + ", " + std::to_string(area.y) + " + py" + divide + ")";
  }
  return text;
}

ToolResult run(const Args& args, ToolContext& context) {
  Screen& screen = context.desktop.screen();
  const Size size = screen.size();
  const Rect area =
      args.region ? Rect{(*args.region)[0], (*args.region)[1], (*args.region)[2], (*args.region)[3]}
                  : Rect{0, 0, size.width, size.height};
  Pixels picture = screen.capture(area, args.cursor);
  if (args.max_side) picture = shrink(std::move(picture), *args.max_side);
  const bool png = args.format == ImageFormat::png;
  ToolResult result = ToolResult::text(headline(args, picture, area));
  result.add(std::make_shared<EncodedImage>(
      png ? encode_png(picture) : encode_jpeg(picture, args.quality),
      png ? "image/png" : "image/jpeg", picture.width, picture.height));
  return result;
}

}  // namespace

Tool screenshot() {
  return make_tool<Args>({
      .name = "screenshot",
      .title = "Take a screenshot",
      .description =
          "Returns a picture of the desktop as it is at this moment, with the mouse pointer, and a "
          "line with its size and scale. Look before you act: positions for click, move, drag and "
          "scroll are pixels of the screen from its top left, and in a picture with scale 1.0 they "
          "are the picture's own pixels. For small text or icons pass region: that part comes in "
          "full detail, costs fewer tokens, and the line says how to turn its positions into "
          "screen positions. It does not wait for anything; after an action its screenshot "
          "parameter gives the picture of the settled screen in the same call. Not for reading "
          "long text: copy it, or use the shell.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("region", &Args::region,
                    "[x, y, width, height] in screen pixels; without it, the whole screen."),
              param("max_side", &Args::max_side,
                    "Shrinks the picture so that its longer side has at most this many pixels.")
                  .range(16, 8192),
              param("format", &Args::format,
                    "png is exact; jpeg is smaller for photographs and video.")
                  .optional(),
              param("quality", &Args::quality, "Of a jpeg, 1 to 100; not used for png.")
                  .range(1, 100)
                  .optional(),
              param("cursor", &Args::cursor, "Whether the mouse pointer is drawn into the picture.")
                  .optional(),
          },
      .run = run,
  });
}

}  // namespace selfagent
