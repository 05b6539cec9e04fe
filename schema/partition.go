package schema

// PartitionOf is the partition of parley.events that holds channel: the
// murmur2 hash of its name that Kafka's own Java producer uses for keys, so
// that foreign producers and consumers agree.
func PartitionOf(channel string, partitions int) int {
	return int(murmur2(channel)&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with the seed of Kafka's
// org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(key string) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
