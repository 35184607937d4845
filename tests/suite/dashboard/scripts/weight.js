// Bytes of the page, its style sheets and its scripts on the way, compressed: as the server did, or
// as whatever stands before it would.
const size = async (url) => {
  const answer = await fetch(url, { cache: "no-store" });
  const bytes = await answer.arrayBuffer();
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(packed).arrayBuffer()).byteLength;
};
const files = performance.getEntriesByType("resource").filter((entry) => {
  return ["link", "script", "css"].includes(entry.initiatorType) && /\.(css|m?js)$/.test(new URL(entry.name).pathname);
});
const parts = {};
for (const entry of [...performance.getEntriesByType("navigation"), ...files]) {
  const isPacked = entry.encodedBodySize > 0 && entry.encodedBodySize < entry.decodedBodySize;
  parts[new URL(entry.name).pathname] = isPacked ? entry.encodedBodySize : await size(entry.name);
}
return parts;
