"""Partner profiles that come with the product: data files only, read by `console.profiles`."""
