<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

use RenderSignal\Shared\Refusal;

/**
 * Who asks, and whether he may. Behind a proxy the peer of a connection is the proxy; what it says
 * about the one before it is believed as far as the trusted networks reach, and no step farther:
 * everybody can write an `X-Forwarded-For`.
 */
final class Client
{
    /**
     * @param list<string> $allow networks that may ask; none = all
     * @param list<string> $proxies networks of trusted proxies
     * @throws Refusal 500 when one of them is no network
     */
    public function __construct(private readonly array $allow, private readonly array $proxies)
    {
        foreach (['CONFIG_API_ALLOW_CIDRS' => $allow, 'TRUSTED_PROXIES' => $proxies] as $name => $networks) {
            foreach ($networks as $network) {
                if (self::network($network) === null) {
                    throw new Refusal(500, "$name is not a list of networks (CIDR).");
                }
            }
        }
    }

    /** @param array<mixed> $server the request, as `$_SERVER` has it */
    public function mayAsk(array $server): bool
    {
        if ($this->allow === []) {
            return true;
        }
        $address = $this->address($server);
        return $address !== null && self::isIn($this->allow, $address);
    }

    /**
     * The address of whoever asks, packed; `null` when it is not known.
     *
     * @param array<mixed> $server
     */
    private function address(array $server): ?string
    {
        $client = self::packed((string) ($server['REMOTE_ADDR'] ?? ''));
        $said = (string) ($server['HTTP_X_FORWARDED_FOR'] ?? '');
        // Each proxy adds the address that it saw at the end.
        foreach ($said === '' ? [] : array_reverse(explode(',', $said)) as $before) {
            if ($client === null || !self::isIn($this->proxies, $client)) {
                break;
            }
            $client = self::packed(self::withoutPort(trim($before)));
        }
        return $client;
    }

    private static function withoutPort(string $address): string
    {
        if (preg_match('/^\[(.+)\](?::\d+)?$/D', $address, $found) === 1) {
            return $found[1];
        }
        return preg_match('/^([\d.]+):\d+$/D', $address, $found) === 1 ? $found[1] : $address;
    }

    /** An IPv4 address within IPv6 is the IPv4 address. */
    private static function packed(string $address): ?string
    {
        $packed = filter_var($address, FILTER_VALIDATE_IP) === false ? false : inet_pton($address);
        if ($packed === false) {
            return null;
        }
        $mapped = str_repeat("\0", 10) . "\xff\xff";
        return strlen($packed) === 16 && str_starts_with($packed, $mapped) ? substr($packed, 12) : $packed;
    }

    /** @return array{string, int}|null the packed address and the bits that count */
    private static function network(string $text): ?array
    {
        [$address, $bits] = explode('/', $text, 2) + [1 => ''];
        $packed = self::packed($address);
        if ($packed === null || preg_match('/^\d{1,3}$/D', $bits) !== 1 || (int) $bits > 8 * strlen($packed)) {
            return null;
        }
        return [$packed, (int) $bits];
    }

    /** @param list<string> $networks */
    private static function isIn(array $networks, string $address): bool
    {
        foreach ($networks as $text) {
            [$network, $bits] = self::network($text) ?? ['', 0];
            $bytes = intdiv($bits, 8);
            // Of the byte in which the network ends.
            $mask = (0xff00 >> ($bits % 8)) & 0xff;
            if (
                strlen($network) === strlen($address)
                && substr($network, 0, $bytes) === substr($address, 0, $bytes)
                && ($mask === 0 || ((ord($network[$bytes]) ^ ord($address[$bytes])) & $mask) === 0)
            ) {
                return true;
            }
        }
        return false;
    }
}
