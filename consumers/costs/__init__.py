"""What touches and conversions cost, by the tariffs of campaigns and by what partners say."""
